#pragma once
// Metrics of a request log. Definitions: docs/metrics.md.

#include <array>
#include <cstdint>
#include <limits>

#include "kernels/inference/scheduler.hpp"
#include "kernels/recorder.hpp"
#include "results/metric.hpp"

namespace sparkmpi::kernels::inference {

extern const std::array<results::MetricInfo, 43> kMetrics;

/// Where a log belongs and what it is measured against.
struct LogContext {
  std::int64_t repetition = 0;
  double read_bandwidth_bytes_per_s = std::numeric_limits<double>::quiet_NaN();  ///< measured in the same run
  bool save_tokens = false;
  /// Memory bandwidth that the device's maker gives, and the energy that the device took for this repetition
  /// in J; NaN where nobody says.
  double datasheet_bytes_per_s = std::numeric_limits<double>::quiet_NaN();
  double energy_j = std::numeric_limits<double>::quiet_NaN();
  /// Whether the requests, tokens and rates of a group that works on one model are recorded here: on its
  /// first member alone, so that sums over ranks count each token once.
  bool answers = true;
  /// Whether the requests have a prompt to prefill and tokens to answer with: what neither of them is
  /// measured by is absent.
  bool prefills = true, decodes = true;
};

/// Appends one repetition's raw time stamps (axes token, request, step) and what derives from them (axes itl,
/// request, repetition). Throws Error when decoding claims more than 1.3 times the bandwidth that was
/// measured: then one of the two is wrong.
void record_log(const RequestLog& log, const LogContext& context, Recorder& recorder);

}  // namespace sparkmpi::kernels::inference
