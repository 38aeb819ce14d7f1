#include "analysis/statistics/mann_whitney.hpp"

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "analysis/statistics/sample.hpp"

namespace sparkmpi::analysis {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kMostExactPairs = 2500;

/// P(U = u) for u = 0 … n·m, by the last value's group: P(n, m, u) = n/(n+m)·P(n−1, m, u−m) + m/(n+m)·P(n,
/// m−1, u).
std::vector<double> distribution_of_u(std::size_t n, std::size_t m) {
  const std::size_t top = n * m;
  std::vector<std::vector<double>> of(n + 1, std::vector<double>(top + 1, 0));
  for (std::vector<double>& each : of) each[0] = 1;
  for (std::size_t i = 1; i <= m; ++i) {
    for (std::size_t j = 1; j <= n; ++j) {
      const double share = static_cast<double>(j) / static_cast<double>(i + j);
      for (std::size_t u = i * j + 1; u > 0; --u) {
        const std::size_t at = u - 1;
        of[j][at] = (1 - share) * of[j][at] + (at >= i ? share * of[j - 1][at - i] : 0);
      }
    }
  }
  return of[n];
}

}  // namespace

MannWhitney mann_whitney_test(std::span<const double> a, std::span<const double> b) {
  std::vector<double> pooled = finite(a);
  const std::size_t n = pooled.size();
  const std::vector<double> second = finite(b);
  const std::size_t m = second.size();
  pooled.insert(pooled.end(), second.begin(), second.end());
  if (n == 0 || m == 0) return {kNaN, kNaN, false};
  const Ranks ranks = ranks_of(pooled);
  const auto pairs = static_cast<double>(n * m), all = static_cast<double>(n + m);
  const double rank_sum = std::accumulate(ranks.ranks.begin() + static_cast<std::ptrdiff_t>(n),
                                          ranks.ranks.end(), 0.0),
               u = rank_sum - static_cast<double>(m * (m + 1)) / 2, larger = std::max(u, pairs - u);
  if (ranks.tie_sum == 0 && n * m <= kMostExactPairs) {
    const std::vector<double> probability = distribution_of_u(n, m);
    const auto from = probability.begin() + static_cast<std::ptrdiff_t>(larger);
    return {u, std::min(1.0, 2 * std::accumulate(from, probability.end(), 0.0)), true};
  }
  const double spread =
      std::sqrt(pairs / 12 * (all + 1 - ranks.tie_sum / (all * (all - 1))));  // 0: one value for all
  if (!(spread > 0)) return {u, kNaN, false};
  const double z = (larger - pairs / 2 - 0.5) / spread;
  const double tail = boost::math::cdf(boost::math::complement(boost::math::normal_distribution<>(), z));
  return {u, std::min(1.0, 2 * tail), false};
}

}  // namespace sparkmpi::analysis
