#include "results/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sparkmpi::results {

double quantile(std::vector<double> values, double q) {
  std::erase_if(values, [](double value) { return std::isnan(value); });
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  std::ranges::sort(values);
  const double at = q * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  if (below + 1 == values.size()) return values.back();
  const double part = at - static_cast<double>(below);
  return part == 0 ? values[below] : values[below] * (1 - part) + values[below + 1] * part;
}

Spread spread_of(std::span<const double> values) {
  const std::vector<double> copy(values.begin(), values.end());
  const auto missing =
      static_cast<std::size_t>(std::ranges::count_if(copy, [](double value) { return std::isnan(value); }));
  return {copy.size() - missing, quantile(copy, 0), quantile(copy, 0.5), quantile(copy, 1)};
}

}  // namespace sparkmpi::results
