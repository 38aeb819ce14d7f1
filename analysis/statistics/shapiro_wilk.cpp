#include "analysis/statistics/shapiro_wilk.hpp"

#include <algorithm>
#include <boost/math/constants/constants.hpp>
#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "analysis/statistics/sample.hpp"

namespace sparkmpi::analysis {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

template <std::size_t N>
double polynomial(const double (&coefficients)[N], double x) {
  double sum = 0;
  for (std::size_t i = N; i > 0; --i) sum = sum * x + coefficients[i - 1];
  return sum;
}

/// The weights of the order statistics, largest first half: a[i] belongs to x[n-1-i] − x[i].
std::vector<double> weights(std::size_t n) {
  const auto count = static_cast<double>(n);
  std::vector<double> a(n / 2);
  if (n == 3) {
    a[0] = std::sqrt(0.5);
    return a;
  }
  const boost::math::normal_distribution<> normal;
  double sum_of_squares = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i] = -boost::math::quantile(normal, (static_cast<double>(i + 1) - 0.375) / (count + 0.25));
    sum_of_squares += 2 * a[i] * a[i];
  }
  constexpr double kFirst[] = {0, 0.221157, -0.147981, -2.071190, 4.434685, -2.706056};
  constexpr double kSecond[] = {0, 0.042981, -0.293762, -1.752461, 5.682633, -3.582633};
  const double norm = std::sqrt(sum_of_squares), root = 1 / std::sqrt(count);
  const double first = a[0] / norm + polynomial(kFirst, root);
  std::size_t from = 1;
  double factor = 0;
  if (n > 5) {
    from = 2;
    const double second = a[1] / norm + polynomial(kSecond, root);
    factor = std::sqrt((sum_of_squares - 2 * a[0] * a[0] - 2 * a[1] * a[1]) /
                       (1 - 2 * first * first - 2 * second * second));
    a[1] = second;
  } else {
    factor = std::sqrt((sum_of_squares - 2 * a[0] * a[0]) / (1 - 2 * first * first));
  }
  a[0] = first;
  for (std::size_t i = from; i < a.size(); ++i) a[i] /= factor;
  return a;
}

double significance(double w, std::size_t n) {
  const auto count = static_cast<double>(n);
  if (n == 3) {
    constexpr double kPi = boost::math::constants::pi<double>();
    return std::max(0.0, 6 / kPi * (std::asin(std::sqrt(w)) - std::asin(std::sqrt(0.75))));
  }
  double y = std::log(1 - w), centre = 0, spread = 1;
  if (n <= 11) {
    constexpr double kBound[] = {-2.273, 0.459};
    constexpr double kCentre[] = {0.544, -0.39978, 0.025054, -6.714e-4};
    constexpr double kSpread[] = {1.3822, -0.77857, 0.062767, -0.0020322};
    const double bound = polynomial(kBound, count);
    if (y >= bound) return 1e-99;
    y = -std::log(bound - y);
    centre = polynomial(kCentre, count);
    spread = std::exp(polynomial(kSpread, count));
  } else {
    constexpr double kCentre[] = {-1.5861, -0.31082, -0.083751, 0.0038915};
    constexpr double kSpread[] = {-0.4803, -0.082676, 0.0030302};
    centre = polynomial(kCentre, std::log(count));
    spread = std::exp(polynomial(kSpread, std::log(count)));
  }
  return boost::math::cdf(
      boost::math::complement(boost::math::normal_distribution<>(), (y - centre) / spread));
}

}  // namespace

ShapiroWilk shapiro_wilk_test(std::span<const double> values) {
  std::vector<double> x = finite(values);
  const std::size_t n = x.size();
  if (n < 3 || n > 5000) return {kNaN, kNaN};
  std::ranges::sort(x);
  if (x.front() == x.back()) return {kNaN, kNaN};
  const std::vector<double> a = weights(n);
  const double centre = mean(x);
  double numerator = 0, denominator = 0;
  for (std::size_t i = 0; i < a.size(); ++i) numerator += a[i] * (x[n - 1 - i] - x[i]);
  for (const double value : x) denominator += (value - centre) * (value - centre);
  const double w = std::min(1.0, numerator * numerator / denominator);
  return {w, w == 1 ? 1 : significance(w, n)};
}

}  // namespace sparkmpi::analysis
