#pragma once
// Shapiro and Wilk's test of normality.

#include <span>

namespace sparkmpi::analysis {

struct ShapiroWilk {
  double w, p;
};

/// By Royston's algorithm AS R94 (Applied Statistics 44, 1995), for 3 to 5,000 values. NaN outside of that,
/// and for values that are all the same.
ShapiroWilk shapiro_wilk_test(std::span<const double> values);

}  // namespace sparkmpi::analysis
