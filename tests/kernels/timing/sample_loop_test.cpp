#include "kernels/timing/sample_loop.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <thread>

namespace sparkmpi::kernels::timing {
namespace {

TEST(SampleLoop, WarmUpsAreTakenThroughTheMeasuredPathAndNotKept) {
  int calls = 0;
  SampleCount rule(5);
  SoloCommunicator world;
  const StopSignal stop;
  SampleOptions options;
  options.shortest_sample_s = 0;
  options.warm_ups = 3;
  const Samples samples = take_samples([&] { ++calls; }, rule, options, world, stop);
  EXPECT_EQ(samples.seconds.size(), 5U);
  EXPECT_EQ(samples.stop_reason, "count");
  EXPECT_EQ(calls, 2 + 3 + 5);  // two to find that a single operation is long enough
}

/// Every operation takes 100 µs, and the first timing is interrupted for a second.
class InterruptedClock final : public SampleClock {
 public:
  double time(const std::function<void()>& operation, std::size_t repeats) override {
    for (std::size_t i = 0; i < repeats; ++i) operation();
    return 1e-4 * static_cast<double>(repeats) + (calls_++ == 0 ? 1.0 : 0.0);
  }
  std::size_t most_repeats() const override { return 1 << 20; }

 private:
  int calls_ = 0;
};

TEST(SampleLoop, ShortOperationsAreRepeatedWithinASampleWhateverInterruptsTheFirst) {
  SampleCount rule(2);
  SoloCommunicator world;
  const StopSignal stop;
  InterruptedClock clock;
  SampleOptions options;
  options.shortest_sample_s = 2e-3;
  options.clock = &clock;
  const Samples samples = take_samples([] {}, rule, options, world, stop);
  EXPECT_EQ(samples.repeats, 32U);                   // the first power of two that makes 2 ms
  EXPECT_NEAR(samples.seconds.front(), 1e-4, 1e-9);  // of one operation, not of the sample
}

TEST(SampleLoop, ColdSamplesHoldOneOperationEachAfterEmptyingTheCaches) {
  std::string order;
  SampleCount rule(2);
  SoloCommunicator world;
  const StopSignal stop;
  SampleOptions options;
  options.warm_ups = 0;
  options.make_cold = [&] { order += 'c'; };
  take_samples([&] { order += 'o'; }, rule, options, world, stop);
  EXPECT_EQ(order, "coco");
}

TEST(SampleLoop, AStopRequestKeepsWhatWasMeasured) {
  StopSignal stop;
  SampleCount rule(1000000);
  SoloCommunicator world;
  int calls = 0;
  SampleOptions options;
  options.shortest_sample_s = 0;
  const Samples samples = take_samples(
      [&] {
        if (++calls == 20) stop.request();
      },
      rule, options, world, stop);
  EXPECT_EQ(samples.stop_reason, "interrupted");
  EXPECT_FALSE(samples.seconds.empty());
  EXPECT_LT(samples.seconds.size(), 30U);
}

/// A device whose operations take 10 µs each by its own clock, however long the host takes.
class TenMicroseconds final : public SampleClock {
 public:
  double time(const std::function<void()>& operation, std::size_t repeats) override {
    for (std::size_t i = 0; i < repeats; ++i) operation();
    most_ = std::max(most_, repeats);
    return 10e-6 * static_cast<double>(repeats);
  }
  std::size_t most_repeats() const override { return 128; }
  std::size_t most() const { return most_; }

 private:
  std::size_t most_ = 0;
};

TEST(SampleLoop, ADevicesClockDecidesRepeatsSamplesAndTheBudget) {
  TenMicroseconds clock;
  TimeBudget rule(10 * 320e-6 - 1e-9);
  SoloCommunicator world;
  const StopSignal stop;
  SampleOptions options;
  options.clock = &clock;
  options.shortest_sample_s = 200e-6;
  const Samples samples = take_samples([] {}, rule, options, world, stop);
  EXPECT_EQ(samples.repeats, 32U);  // the power of two from 200 µs on
  EXPECT_EQ(samples.seconds.size(), 10U);
  EXPECT_DOUBLE_EQ(samples.seconds.front(), 10e-6);
  EXPECT_EQ(samples.stop_reason, "time_budget");
}

TEST(SampleLoop, NoSampleHoldsMoreThanTheClockTakes) {
  TenMicroseconds clock;
  SampleCount rule(1);
  SoloCommunicator world;
  const StopSignal stop;
  SampleOptions options;
  options.clock = &clock;
  options.shortest_sample_s = 1;
  EXPECT_EQ(take_samples([] {}, rule, options, world, stop).repeats, 128U);
  EXPECT_EQ(clock.most(), 128U);
}

TEST(SampleLoop, LooksAtTheDeviceOnceABatchAndNotWithinASample) {
  TenMicroseconds clock;
  SampleCount rule(400);  // 400 samples of 320 µs: batches of 157, 157 and 86
  SoloCommunicator world;
  const StopSignal stop;
  SampleOptions options;
  options.clock = &clock;
  int looks = 0;
  options.after_batch = [&] { ++looks; };
  take_samples([] {}, rule, options, world, stop);
  EXPECT_EQ(looks, 3);
}

}  // namespace
}  // namespace sparkmpi::kernels::timing
