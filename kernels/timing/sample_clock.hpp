#pragma once
// What a sample is timed with: the host's clock, or a device's own.

#include <cstddef>
#include <functional>

namespace sparkmpi::kernels::timing {

class SampleClock {
 public:
  virtual ~SampleClock() = default;
  /// Does the operation `repeats` times and returns when all are done: the seconds that they took together.
  virtual double time(const std::function<void()>& operation, std::size_t repeats) = 0;
  /// The most operations that one sample can hold.
  virtual std::size_t most_repeats() const = 0;
};

/// std::chrono::steady_clock around operations that return when they are done.
class HostClock final : public SampleClock {
 public:
  double time(const std::function<void()>& operation, std::size_t repeats) override;
  std::size_t most_repeats() const override { return 1'000'000; }
};

}  // namespace sparkmpi::kernels::timing
