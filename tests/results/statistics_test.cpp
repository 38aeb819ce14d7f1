#include "results/statistics.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "results/quantity.hpp"

namespace sparkmpi::results {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

TEST(Quantile, InterpolatesLinearlyAsNumPyDoes) {
  EXPECT_DOUBLE_EQ(quantile({4, 1, 3, 2}, 0.5), 2.5);
  EXPECT_DOUBLE_EQ(quantile({1, 2, 3, 4}, 0.25), 1.75);
  EXPECT_DOUBLE_EQ(quantile({10, 20}, 0.99), 19.9);
  EXPECT_DOUBLE_EQ(quantile({7}, 0.3), 7);
}

TEST(Quantile, MissingValuesDontCount) {
  EXPECT_DOUBLE_EQ(quantile({kNaN, 1, kNaN, 3}, 0.5), 2);
  EXPECT_TRUE(std::isnan(quantile({kNaN}, 0.5)));
  const std::vector<double> values = {kNaN, 5};
  EXPECT_EQ(spread_of(values).count, 1U);
}

TEST(Quantile, InfiniteLimitsStayInfinite) {
  EXPECT_TRUE(std::isinf(quantile({1, std::numeric_limits<double>::infinity()}, 1)));
}

TEST(FormatQuantity, UnitsAsPeopleReadThem) {
  EXPECT_EQ(format_quantity(12.34e9, "B/s"), "12.3 GB/s");
  EXPECT_EQ(format_quantity(1.5 * (1 << 30), "B"), "1.50 GiB");
  EXPECT_EQ(format_quantity(0.00457, "s"), "4.57 ms");
  EXPECT_EQ(format_quantity(125, "s"), "125 s");
  EXPECT_EQ(format_quantity(kNaN, "B"), "-");
  EXPECT_EQ(format_quantity(std::numeric_limits<double>::infinity(), "B"), "no limit");
}

}  // namespace
}  // namespace sparkmpi::results
