#pragma once
// Order statistics of raw samples.

#include <cstddef>
#include <span>
#include <vector>

namespace sparkmpi::results {

/// The quantile `q` in [0, 1] of the values that are not NaN, linearly interpolated between order statistics
/// (Hyndman and Fan's definition 7, NumPy's default). NaN when there is none.
double quantile(std::vector<double> values, double q);

struct Spread {
  std::size_t count = 0;  ///< values that are not NaN
  double minimum, median, maximum;
};
Spread spread_of(std::span<const double> values);

}  // namespace sparkmpi::results
