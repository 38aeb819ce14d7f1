#include "analysis/statistics/effect_size.hpp"

#include <algorithm>
#include <boost/math/distributions/non_central_t.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <boost/math/special_functions/gamma.hpp>
#include <boost/math/tools/roots.hpp>
#include <cmath>
#include <limits>

#include "analysis/statistics/sample.hpp"

namespace sparkmpi::analysis {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kMostLaunches = 1'000'000;
constexpr double kLargestNoncentrality = 37;  // beyond, the distribution's series lose their accuracy

/// The noncentrality under which P(T <= t) is `probability`; the normal approximation where the noncentral t
/// is out of reach.
double noncentrality_at(double t, double degrees_of_freedom, double probability) {
  const boost::math::normal_distribution<> normal;
  const double z = boost::math::quantile(normal, probability);
  const double approximate = t - z * std::sqrt(1 + t * t / (2 * degrees_of_freedom));
  if (std::abs(t) > kLargestNoncentrality) return approximate;
  const auto excess = [&](double noncentrality) {
    if (std::abs(noncentrality) > kLargestNoncentrality)
      return noncentrality > 0 ? -probability : 1 - probability;
    return boost::math::cdf(boost::math::non_central_t_distribution<>(degrees_of_freedom, noncentrality), t) -
           probability;
  };
  std::uintmax_t iterations = 200;
  const double width = 1 + std::abs(approximate - t);
  double low = approximate - width, high = approximate + width;
  while (excess(low) < 0 && low > -kLargestNoncentrality) low -= width;
  while (excess(high) > 0 && high < kLargestNoncentrality) high += width;
  const auto bracket = boost::math::tools::toms748_solve(
      excess, low, high, boost::math::tools::eps_tolerance<double>(48), iterations);
  return (bracket.first + bracket.second) / 2;
}

}  // namespace

EffectSize effect_size(std::span<const double> a, std::span<const double> b, double level) {
  const std::vector<double> first = finite(a), second = finite(b);
  if (first.size() < 2 || second.size() < 2) return {kNaN, kNaN, kNaN, kNaN};
  const auto n = static_cast<double>(first.size()), m = static_cast<double>(second.size());
  const double df = n + m - 2;
  const double pooled = std::sqrt(((n - 1) * variance(first) + (m - 1) * variance(second)) / df);
  if (!(pooled > 0)) return {kNaN, kNaN, kNaN, kNaN};
  const double d = (mean(second) - mean(first)) / pooled;
  // Γ(df/2) / (√(df/2) Γ((df−1)/2)).
  const double correction =
      df > 1 ? std::exp(std::lgamma(df / 2) - std::lgamma((df - 1) / 2)) / std::sqrt(df / 2) : kNaN;
  const double scale = std::sqrt(n * m / (n + m)), t = d * scale;
  const double tail = (1 - level) / 2;
  return {d, d * correction, noncentrality_at(t, df, 1 - tail) / scale * correction,
          noncentrality_at(t, df, tail) / scale * correction};
}

double power_of_t_test(double d, std::size_t n, std::size_t m, double alpha) {
  if (n + m < 3 || n == 0 || m == 0 || std::isnan(d)) return kNaN;
  const double df = static_cast<double>(n + m - 2);
  const double noncentrality =
      std::abs(d) * std::sqrt(static_cast<double>(n) * static_cast<double>(m) / static_cast<double>(n + m));
  const double critical =
      boost::math::quantile(boost::math::complement(boost::math::students_t_distribution<>(df), alpha / 2));
  if (noncentrality > kLargestNoncentrality) {
    const double z = (critical - noncentrality) / std::sqrt(1 + critical * critical / (2 * df));
    return boost::math::cdf(boost::math::complement(boost::math::normal_distribution<>(), z));
  }
  const boost::math::non_central_t_distribution<> distribution(df, noncentrality);
  return boost::math::cdf(boost::math::complement(distribution, critical)) +
         boost::math::cdf(distribution, -critical);
}

std::size_t launches_needed(double d, double alpha, double power) {
  if (std::isnan(d) || d == 0) return 0;
  if (power_of_t_test(d, kMostLaunches, kMostLaunches, alpha) < power) return 0;
  std::size_t enough = 2, few = 1;
  while (power_of_t_test(d, enough, enough, alpha) < power) {
    few = enough;
    enough *= 2;
  }
  while (few + 1 < enough) {
    const std::size_t middle = (few + enough) / 2;
    (power_of_t_test(d, middle, middle, alpha) < power ? few : enough) = middle;
  }
  return enough;
}

std::size_t launches_for_equivalence(double difference, double margin, double spread, double alpha,
                                     double power) {
  const double room = margin - std::abs(difference);
  if (!(room > 0) || std::isnan(spread)) return 0;
  if (spread == 0) return 2;
  const boost::math::normal_distribution<> normal;
  // With the difference at 0 both tests must pass: half of the error each.
  const double error = std::abs(difference) < 0.1 * margin ? (1 - power) / 2 : 1 - power;
  const double reach = boost::math::quantile(normal, 1 - alpha) + boost::math::quantile(normal, 1 - error);
  const double count = std::ceil(2 * std::pow(spread * reach / room, 2)) + 1;
  return count > static_cast<double>(kMostLaunches)
             ? 0
             : std::max<std::size_t>(2, static_cast<std::size_t>(count));
}

}  // namespace sparkmpi::analysis
