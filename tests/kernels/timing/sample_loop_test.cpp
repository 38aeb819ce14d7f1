#include "kernels/timing/sample_loop.hpp"

#include <gtest/gtest.h>

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
  EXPECT_EQ(calls, 1 + 3 + 5);  // one to find that a single operation is long enough
}

TEST(SampleLoop, ShortOperationsAreRepeatedWithinASample) {
  SampleCount rule(2);
  SoloCommunicator world;
  const StopSignal stop;
  SampleOptions options;
  options.shortest_sample_s = 2e-3;
  const Samples samples = take_samples([] { std::this_thread::sleep_for(std::chrono::microseconds(100)); },
                                       rule, options, world, stop);
  EXPECT_GT(samples.repeats, 1U);
  EXPECT_GE(samples.seconds.front(), 100e-6);  // of one operation, not of the sample
  EXPECT_LT(samples.seconds.front() * static_cast<double>(samples.repeats), 1.0);
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

}  // namespace
}  // namespace sparkmpi::kernels::timing
