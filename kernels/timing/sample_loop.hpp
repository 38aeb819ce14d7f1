#pragma once
// The one way to time an operation: warm up through the measured path, take samples until a rule is content,
// keep them all.

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "kernels/communicator.hpp"
#include "kernels/stop_signal.hpp"
#include "kernels/timing/sample_clock.hpp"
#include "kernels/timing/stopping_rule.hpp"

namespace sparkmpi::kernels::timing {

struct SampleOptions {
  double shortest_sample_s =
      200e-6;        ///< short operations are repeated within a sample until it lasts about this long
  int warm_ups = 2;  ///< whole samples, not kept
  /// Called before every sample, outside the measured time, to empty the caches; empty: hot. A cold sample
  /// holds one operation.
  std::function<void()> make_cold;
  /// Called after each batch of about 50 ms, outside the measured time: to read the device's clocks while
  /// they are still those of the measurement.
  std::function<void()> after_batch;
  /// Null: the host's clock, for operations that return when they are done. A device's clock is given
  /// operations that only queue their work (timing/cuda/event_clock.hpp). Outlives the call.
  SampleClock* clock = nullptr;
  std::string phase = "timing";  ///< for the barriers
};

struct Samples {
  std::vector<double> seconds;  ///< of one operation each
  std::size_t repeats = 1;      ///< operations within each sample
  std::string stop_reason;      ///< the rule's, or "interrupted"
};

/// Times `operation`, which works on this rank's device and returns when it is done. Ranks start together and
/// stop together: after each batch of about 50 ms they agree whether all rules are content, so that nobody
/// measures beside an idle neighbour. The loop looks at `stop` before every sample.
Samples take_samples(const std::function<void()>& operation, StoppingRule& rule, const SampleOptions& options,
                     Communicator& world, const StopSignal& stop);

}  // namespace sparkmpi::kernels::timing
