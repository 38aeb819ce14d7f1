#include "analysis/statistics/sample.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "results/statistics.hpp"

namespace sparkmpi::analysis {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

}  // namespace

std::vector<double> finite(std::span<const double> values) {
  std::vector<double> kept;
  kept.reserve(values.size());
  for (const double value : values) {
    if (!std::isnan(value)) kept.push_back(value);
  }
  return kept;
}

double mean(std::span<const double> values) {
  double sum = 0;
  std::size_t count = 0;
  for (const double value : values) {
    if (std::isnan(value)) continue;
    sum += value;
    ++count;
  }
  return count == 0 ? kNaN : sum / static_cast<double>(count);
}

double harmonic_mean(std::span<const double> values) {
  double sum = 0;
  std::size_t count = 0;
  for (const double value : values) {
    if (std::isnan(value)) continue;
    if (value < 0) return kNaN;
    sum += 1 / value;
    ++count;
  }
  return count == 0 ? kNaN : static_cast<double>(count) / sum;
}

double median(std::span<const double> values) {
  return results::quantile({values.begin(), values.end()}, 0.5);
}

double variance(std::span<const double> values) {
  const double centre = mean(values);
  double sum = 0;
  std::size_t count = 0;
  for (const double value : values) {
    if (std::isnan(value)) continue;
    sum += (value - centre) * (value - centre);
    ++count;
  }
  return count < 2 ? kNaN : sum / static_cast<double>(count - 1);
}

Ranks ranks_of(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return values[i]; });
  Ranks result{std::vector<double>(values.size()), 0};
  for (std::size_t first = 0; first < order.size();) {
    std::size_t last = first;
    while (last + 1 < order.size() && values[order[last + 1]] == values[order[first]]) ++last;
    const double shared = static_cast<double>(first + last) / 2 + 1;
    const auto tied = static_cast<double>(last - first + 1);
    result.tie_sum += tied * tied * tied - tied;
    for (std::size_t i = first; i <= last; ++i) result.ranks[order[i]] = shared;
    first = last + 1;
  }
  return result;
}

}  // namespace sparkmpi::analysis
