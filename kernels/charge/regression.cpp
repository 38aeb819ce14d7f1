#include "kernels/charge/regression.hpp"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>
#include <vector>

namespace sparkmpi::kernels::charge {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

double mean(std::span<const double> values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

/// Sample variance, 0 with fewer than two values.
double variance(std::span<const double> values) {
  if (values.size() < 2) return 0;
  const double centre = mean(values);
  double sum = 0;
  for (const double value : values) sum += (value - centre) * (value - centre);
  return sum / static_cast<double>(values.size() - 1);
}

std::vector<double> finite(std::span<const double> values) {
  std::vector<double> kept;
  std::ranges::copy_if(values, std::back_inserter(kept), [](double value) { return std::isfinite(value); });
  return kept;
}

}  // namespace

Slope regress(std::span<const double> bytes, std::span<const double> change, std::span<const double> idle) {
  std::vector<double> x, y;
  for (std::size_t i = 0; i < std::min(bytes.size(), change.size()); ++i) {
    if (!std::isfinite(change[i])) continue;
    x.push_back(bytes[i]);
    y.push_back(change[i]);
  }
  if (x.empty()) return {kNaN, kInfinity, kNaN};
  const double x_mean = mean(x), y_mean = mean(y);
  double xx = 0, xy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - x_mean) * (x[i] - x_mean);
    xy += (x[i] - x_mean) * (y[i] - y_mean);
  }
  if (xx == 0) return {kNaN, kInfinity, kNaN};
  Slope slope;
  slope.value = xy / xx;
  slope.intercept = y_mean - slope.value * x_mean;
  const auto points = static_cast<double>(x.size());
  if (points < 3) {
    slope.half_width = kInfinity;
    return slope;
  }
  double residual = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double error = y[i] - slope.intercept - slope.value * x[i];
    residual += error * error;
  }
  const double noise = std::max(residual / (points - 2), variance(finite(idle)));
  const boost::math::students_t distribution(points - 2);
  slope.half_width = boost::math::quantile(distribution, 0.975) * std::sqrt(noise / xx);
  return slope;
}

}  // namespace sparkmpi::kernels::charge
