#pragma once
// The page cache as a declared factor of a run: brought into a state before each point, looked at, and
// recorded, once a node.

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kernels/plan.hpp"
#include "ledger/cache_state.hpp"
#include "ledger/file_duplicates.hpp"
#include "results/record.hpp"

namespace sparkmpi::mpi {

struct CacheOptions {
  ledger::CacheRequest request;
  std::vector<std::filesystem::path> also_check;  ///< directories searched for copies of the run's files
};

/// What a run records beside each kernel's own metrics, on the axis "file".
std::span<const results::MetricInfo> file_metrics();

/// A kernel's metrics and those.
std::vector<results::MetricInfo> with_file_metrics(std::span<const results::MetricInfo> metrics);

/// One on each rank; only that of a node's first rank does anything.
class CacheControl {
 public:
  /// @param active whether this is its node's first rank.
  CacheControl(const CacheOptions& options, bool active) : options_(options), active_(active) {}

  /// Refuses what can't work, before anything is measured, and looks for duplicates. Throws UsageError.
  void check(const kernels::Plan& plan);

  /// Brings the cache into the state and looks at the files. The other ranks of the node wait meanwhile.
  /// Never throws for what fails: the point is marked as not verified.
  void before_point(const kernels::PlannedPoint& planned, const kernels::StopSignal& stop);

  /// Adds facts and files to the point's record: model files and copies always, libraries when their bytes in
  /// the cache are not what was recorded last.
  void after_point(results::KernelRecord& record);

  /// One line for a person when the last point's state could not be verified, or covers less than was asked
  /// for; empty otherwise. Each text is handed out once.
  std::string remark();

 private:
  struct WatchedFile {
    ledger::FileIdentity identity;
    std::string role;          ///< "model", "library", "copy"
    std::string duplicate_of;  ///< path of the first with the same content; empty: none
    double resident_start = 0;
    std::optional<double> listed;  ///< bytes in the cache when it was recorded last
  };
  static bool has_news(const WatchedFile& file, double resident_end);
  void watch(const std::vector<std::filesystem::path>& model);
  ledger::CacheOutcome apply(const std::vector<std::filesystem::path>& model,
                             const kernels::StopSignal& stop);

  const CacheOptions& options_;
  bool active_;
  std::vector<ledger::FileIdentity> also_;
  std::unique_ptr<ledger::InjectedFile> injected_;
  std::vector<std::filesystem::path> model_, libraries_;  ///< that files_ is about
  std::vector<WatchedFile> files_;
  ledger::CacheOutcome outcome_;
  std::vector<std::string> remarks_, told_;
};

}  // namespace sparkmpi::mpi
