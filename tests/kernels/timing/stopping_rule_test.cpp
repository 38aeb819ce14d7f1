#include "kernels/timing/stopping_rule.hpp"

#include <gtest/gtest.h>

#include <random>

namespace sparkmpi::kernels::timing {
namespace {

TEST(SampleCount, CountsSamples) {
  SampleCount rule(3);
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(rule.done());
    rule.add(1);
  }
  EXPECT_TRUE(rule.done());
  EXPECT_EQ(rule.reason(), "count");
}

TEST(TimeBudget, AddsMeasuredTime) {
  TimeBudget rule(1.0);
  rule.add(0.6);
  EXPECT_FALSE(rule.done());
  rule.add(0.6);
  EXPECT_TRUE(rule.done());
}

TEST(MedianConverged, StopsSoonForSteadyAndLateForNoisyTimes) {
  const auto samples_for = [](double noise) {
    MedianConverged rule(0.02, 10);
    std::mt19937 generator(1);
    std::lognormal_distribution<double> times(0, noise);
    int samples = 0;
    for (; !rule.done() && samples < 20000; ++samples) rule.add(times(generator));
    return samples;
  };
  EXPECT_EQ(samples_for(1e-6), 10);
  EXPECT_GT(samples_for(0.2), 100);
  EXPECT_LT(samples_for(0.2), 20000);
}

TEST(FirstOf, TheFirstRuleDecidesAndNamesTheReason) {
  std::vector<std::unique_ptr<StoppingRule>> rules;
  rules.push_back(std::make_unique<SampleCount>(100));
  rules.push_back(std::make_unique<TimeBudget>(0.5));
  FirstOf rule(std::move(rules));
  rule.add(0.4);
  EXPECT_FALSE(rule.done());
  rule.add(0.4);
  EXPECT_TRUE(rule.done());
  EXPECT_EQ(rule.reason(), "time_budget");
}

}  // namespace
}  // namespace sparkmpi::kernels::timing
