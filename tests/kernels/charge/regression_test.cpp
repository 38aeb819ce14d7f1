#include "kernels/charge/regression.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace sparkmpi::kernels::charge {
namespace {

constexpr double kMiB = 1 << 20;
const std::vector<double> kBytes = {64 * kMiB, 64 * kMiB, 128 * kMiB, 128 * kMiB, 256 * kMiB, 256 * kMiB};

std::vector<double> line(double slope, double intercept) {
  std::vector<double> change;
  for (const double bytes : kBytes) change.push_back(intercept + slope * bytes);
  return change;
}

TEST(Regression, ExactLineHasItsSlopeAndIntercept) {
  const Slope slope = regress(kBytes, line(2, 3 * kMiB), {});
  EXPECT_NEAR(slope.value, 2, 1e-12);
  EXPECT_NEAR(slope.intercept, 3 * kMiB, 1);
  EXPECT_NEAR(slope.half_width, 0, 1e-9);
}

// Worked by hand from the definitions: slope 4.85/5, residual sum of squares 0.063, t(0.975, 2 degrees)
// = 4.302653.
TEST(Regression, IntervalIsStudents) {
  const std::vector<double> x = {1, 2, 3, 4}, y = {1.1, 1.9, 3.2, 3.9};
  const Slope slope = regress(x, y, {});
  EXPECT_NEAR(slope.value, 0.97, 1e-12);
  EXPECT_NEAR(slope.half_width, 4.302653 * std::sqrt(0.063 / 2 / 5), 1e-6);
}

TEST(Regression, IdleNoiseWidensTheIntervalOfAPerfectLine) {
  const std::vector<double> idle = {-10 * kMiB, 10 * kMiB, -10 * kMiB, 10 * kMiB};
  EXPECT_GT(regress(kBytes, line(1, 0), idle).half_width, 0.05);
  EXPECT_LT(regress(kBytes, line(1, 0), {}).half_width, 1e-9);
}

TEST(Regression, AVarianceKnownFromElsewhereIsTheLeast) {
  const double known = regress(kBytes, line(1, 0), {}, 1e14).half_width;
  EXPECT_NEAR(known / regress(kBytes, line(1, 0), {}, 1e12).half_width, 10, 1e-6);
}

// Residual sum of squares 0.063; the median of chi-squared with 2 degrees of freedom is 2 ln 2.
TEST(Regression, VarianceIsMedianUnbiased) {
  const std::vector<double> x = {1, 2, 3, 4}, y = {1.1, 1.9, 3.2, 3.9};
  EXPECT_NEAR(median_unbiased_variance(x, y), 0.063 / (2 * std::log(2.0)), 1e-6);
  const std::vector<double> two = {1, 2};
  EXPECT_TRUE(std::isnan(median_unbiased_variance(two, two)));
}

TEST(Regression, UnansweredChangesAreLeftOut) {
  std::vector<double> change = line(1, 0);
  change[2] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_NEAR(regress(kBytes, change, {}).value, 1, 1e-12);
}

TEST(Regression, NothingToGoByIsNotANumber) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(std::isnan(regress({}, {}, {}).value));
  EXPECT_TRUE(std::isnan(regress(kBytes, std::vector<double>(6, nan), {}).value));
  const std::vector<double> one_size(3, kMiB);
  EXPECT_TRUE(std::isnan(regress(one_size, one_size, {}).value));
  const std::vector<double> two_points = {1, 2};
  EXPECT_TRUE(std::isinf(regress(two_points, two_points, {}).half_width));
}

// The interval's own promise: it holds the true slope in 95 % of noisy experiments (2,000 seeded ones: ± 1
// point).
TEST(Regression, IntervalCoversTheTruth) {
  std::mt19937_64 random(20261123);
  std::normal_distribution<double> noise(0, 2 * kMiB);
  int covered = 0;
  for (int study = 0; study < 2000; ++study) {
    std::vector<double> change = line(1, 0);
    for (double& value : change) value += noise(random);
    const Slope slope = regress(kBytes, change, {});
    covered += slope.low() <= 1 && 1 <= slope.high() ? 1 : 0;
  }
  EXPECT_NEAR(covered / 2000.0, 0.95, 0.015);
}

}  // namespace
}  // namespace sparkmpi::kernels::charge
