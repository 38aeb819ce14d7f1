#include "kernels/timing/sample_loop.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace sparkmpi::kernels::timing {
namespace {

constexpr double kBatchSeconds = 0.05;

/// How many operations make a sample long enough, by doubling; its runs are the first part of the warm-up. A
/// run that was long enough is repeated: it may have been interrupted.
std::size_t repeats_for(const std::function<void()>& operation, double shortest_s, SampleClock& clock) {
  for (std::size_t repeats = 1;; repeats *= 2) {
    if (repeats * 2 > clock.most_repeats()) return repeats;
    if (clock.time(operation, repeats) >= shortest_s && clock.time(operation, repeats) >= shortest_s)
      return repeats;
  }
}

}  // namespace

double HostClock::time(const std::function<void()>& operation, std::size_t repeats) {
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < repeats; ++i) operation();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Samples take_samples(const std::function<void()>& operation, StoppingRule& rule, const SampleOptions& options,
                     Communicator& world, const StopSignal& stop) {
  Samples samples;
  HostClock host_clock;
  SampleClock& clock = options.clock != nullptr ? *options.clock : host_clock;
  const bool cold = static_cast<bool>(options.make_cold);
  samples.repeats = cold ? 1 : repeats_for(operation, options.shortest_sample_s, clock);
  const auto sample = [&] {
    if (cold) options.make_cold();
    return clock.time(operation, samples.repeats);
  };
  for (int i = 0; i < options.warm_ups && !stop.requested(); ++i) sample();

  world.barrier(options.phase);
  for (bool content = false; !content;) {
    double batch = 0;
    // A rank whose rule is content goes on measuring until all are: its neighbours must not get the memory
    // for themselves.
    do {
      const double seconds = sample();
      batch += seconds;
      samples.seconds.push_back(seconds / static_cast<double>(samples.repeats));
      rule.add(seconds);
    } while (batch < kBatchSeconds && !rule.done() && !stop.requested());
    if (options.after_batch) options.after_batch();
    content = world.all_agree(options.phase, rule.done() || stop.requested()) || stop.requested();
  }
  samples.stop_reason = stop.requested() ? "interrupted" : std::string(rule.reason());
  return samples;
}

}  // namespace sparkmpi::kernels::timing
