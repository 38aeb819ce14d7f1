#pragma once
// Where a kernel puts what it measures.

#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "ledger/ledger.hpp"
#include "results/metric.hpp"
#include "results/record.hpp"

namespace sparkmpi::kernels {

/// Shows how far a kernel is: `done` of 1, and a few words. Called on the measuring thread, so keep it rare
/// (≥ 50 ms apart is enough); it is cheap when nothing is shown.
using ProgressSink = std::function<void(double done, std::string_view text)>;

class Recorder {
 public:
  /// @param metrics what the kernel has declared; ledgers and clock outlive the recorder.
  Recorder(std::span<const results::MetricInfo> metrics, ledger::LedgerSet& ledgers, const Clock& clock,
           ProgressSink progress = {});

  /// The raw samples of a metric on an axis, to append to. References stay valid for the recorder's life.
  /// Throws std::logic_error for a metric that the kernel has not declared or that already has another axis.
  std::vector<double>& series(std::string_view metric, std::string_view axis = "sample");

  /// Text that goes with an axis, to append to in step with its series ("allocator" on the axis "charge").
  std::vector<std::string>& labels(std::string_view name, std::string_view axis);

  /// A fact about this rank's run of the kernel.
  void fact(std::string_view name, Attribute value);

  /// Reads every ledger now, under this name ("weights_loaded"). What was read is valid until the next
  /// moment.
  const ledger::Snapshot& moment(std::string_view name);

  /// What one ledger says now ("meminfo.MemAvailable"); nothing when it does not answer here.
  std::optional<double> reading(std::string_view name);

  /// Why measuring stopped. "interrupted" makes the record incomplete.
  void stop_reason(std::string_view reason);

  void progress(double done, std::string_view text) const;
  const Clock& clock() const { return clock_; }

  /// Hands everything over; the runner adds the outcome and the time line.
  results::KernelRecord take() &&;

 private:
  std::span<const results::MetricInfo> metrics_;
  ledger::LedgerSet& ledgers_;
  const Clock& clock_;
  ProgressSink progress_;
  results::KernelRecord record_;
  std::deque<results::Labels> labels_;  ///< a deque, since labels() hands out references
};

}  // namespace sparkmpi::kernels
