#include "analysis/statistics/bootstrap.hpp"

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <limits>
#include <numeric>

#include "analysis/statistics/random.hpp"
#include "analysis/statistics/sample.hpp"
#include "results/statistics.hpp"

namespace sparkmpi::analysis {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

double resampled_mean(std::span<const double> values, Random& random) {
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) sum += values[random.below(values.size())];
  return sum / static_cast<double>(values.size());
}

/// The mean without each value in turn.
std::vector<double> leave_one_out(std::span<const double> values) {
  const double sum = std::accumulate(values.begin(), values.end(), 0.0);
  std::vector<double> means;
  for (const double value : values) means.push_back((sum - value) / static_cast<double>(values.size() - 1));
  return means;
}

/// Σ U³/n³ and Σ U²/n² over the samples, U = (n − 1)(mean of the jackknife − value).
double acceleration(std::span<const std::vector<double>> jackknife) {
  double cubes = 0, squares = 0;
  for (const std::vector<double>& sample : jackknife) {
    const auto n = static_cast<double>(sample.size());
    const double centre = mean(sample);
    for (const double value : sample) {
      const double u = (n - 1) * (centre - value) / n;
      cubes += u * u * u;
      squares += u * u;
    }
  }
  return squares == 0 ? 0 : cubes / (6 * std::pow(squares, 1.5));
}

}  // namespace

Interval percentile_interval(std::span<const double> replicates, double level) {
  const std::vector<double> values(replicates.begin(), replicates.end());
  return {results::quantile(values, (1 - level) / 2), results::quantile(values, (1 + level) / 2)};
}

Interval bca_interval(std::span<const double> replicates, double observed,
                      std::span<const std::vector<double>> jackknife, double level) {
  const std::vector<double> values = finite(replicates);
  double below = 0;
  for (const double value : values) below += value < observed ? 1 : value == observed ? 0.5 : 0;
  const double share = below / static_cast<double>(values.size());
  if (!(share > 0 && share < 1)) return {kNaN, kNaN};
  const boost::math::normal_distribution<> normal;
  const double bias = boost::math::quantile(normal, share), accelerated = acceleration(jackknife);
  const auto end = [&](double probability) {
    const double z = bias + boost::math::quantile(normal, probability);
    return results::quantile(values, boost::math::cdf(normal, bias + z / (1 - accelerated * z)));
  };
  return {end((1 - level) / 2), end((1 + level) / 2)};
}

Bootstrap bootstrap_difference(std::span<const double> a, std::span<const double> b, std::size_t resamples,
                               std::uint64_t seed) {
  const std::vector<double> first = finite(a), second = finite(b);
  Bootstrap result;
  if (first.size() < 2 || second.size() < 2) return result;
  Random random(seed);
  result.replicates.reserve(resamples);
  for (std::size_t i = 0; i < resamples; ++i)
    result.replicates.push_back(resampled_mean(second, random) - resampled_mean(first, random));
  std::vector<double> without_a = leave_one_out(first), without_b = leave_one_out(second);
  const double mean_a = mean(first), mean_b = mean(second);
  for (double& value : without_a) value = mean_b - value;
  for (double& value : without_b) value -= mean_a;
  result.jackknife = {std::move(without_a), std::move(without_b)};
  return result;
}

Bootstrap bootstrap_mean(std::span<const double> given, std::size_t resamples, std::uint64_t seed) {
  const std::vector<double> values = finite(given);
  Bootstrap result;
  if (values.size() < 2) return result;
  Random random(seed);
  result.replicates.reserve(resamples);
  for (std::size_t i = 0; i < resamples; ++i) result.replicates.push_back(resampled_mean(values, random));
  result.jackknife = {leave_one_out(values)};
  return result;
}

}  // namespace sparkmpi::analysis
