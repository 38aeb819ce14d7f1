#pragma once
// How two quantities go together.

#include <span>

namespace sparkmpi::analysis {

struct Correlation {
  double coefficient, p;
};

/// Spearman's rank correlation, ties by mean ranks; two-sided p by the t approximation. Pairs with a NaN are
/// left out; NaN below three pairs or when one side never changes.
Correlation spearman(std::span<const double> x, std::span<const double> y);

/// y = intercept + slope·x by least squares, and how far the worst point lies from the line.
struct Line {
  double intercept, slope, r_squared, largest_residual;
};
/// Pairs with a NaN are left out; NaN below three pairs or when x never changes.
Line fit_line(std::span<const double> x, std::span<const double> y);

}  // namespace sparkmpi::analysis
