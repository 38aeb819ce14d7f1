#pragma once
// The device's own clock: CUDA events behind a blocking start.

#include <cuda_runtime_api.h>

#include "kernels/timing/sample_clock.hpp"

namespace sparkmpi::kernels::timing {

/// Times work that operations queue on one stream. A small kernel that waits for a word from the host
/// (nvbench's blocking kernel) goes first, so that every launch is queued before the first event passes: the
/// time between the events is the device's, and the host's launches do not show. An operation that waits for
/// the device itself (the first launch of a kernel may, to load its code) would never let the host give the
/// word: the gate opens by itself after a second, the sample is taken again, and after the second such expiry
/// without a gate.
///
/// Example:
///   EventClock clock(stream);
///   options.clock = &clock;
///   take_samples([&] { triad<<<blocks, threads, 0, stream>>>(…); }, rule, options, world, stop);
class EventClock final : public SampleClock {
 public:
  /// @param stream of the current device; outlives the clock. Throws Error with CUDA's words.
  explicit EventClock(cudaStream_t stream);
  ~EventClock() override;
  EventClock(const EventClock&) = delete;             ///< owns events and pinned memory
  EventClock& operator=(const EventClock&) = delete;  ///< owns events and pinned memory

  /// Resolution about half a microsecond.
  double time(const std::function<void()>& operation, std::size_t repeats) override;
  /// A stream takes about a thousand launches before it makes the host wait, and an operation may be several.
  std::size_t most_repeats() const override { return 128; }
  /// Whether the start is still blocking: false after two expiries.
  bool blocking() const { return blocking_; }

  /// What host and device share.
  struct Gate {
    int open;
    int expired;
  };

 private:
  void queue(const std::function<void()>& operation, std::size_t repeats);

  cudaStream_t stream_;
  cudaEvent_t start_ = nullptr, end_ = nullptr;
  Gate* gate_ = nullptr;  ///< pinned
  bool blocking_ = true;
  int expiries_ = 0;
};

}  // namespace sparkmpi::kernels::timing
