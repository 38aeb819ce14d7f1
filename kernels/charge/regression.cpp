#include "kernels/charge/regression.hpp"

#include <algorithm>
#include <boost/math/distributions/chi_squared.hpp>
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

/// Sums over the points that have a change.
struct Line {
  double points = 0, xx = 0, slope = kNaN, intercept = kNaN, squares = 0;
};

Line fit(std::span<const double> bytes, std::span<const double> change) {
  std::vector<double> x, y;
  for (std::size_t i = 0; i < std::min(bytes.size(), change.size()); ++i) {
    if (!std::isfinite(change[i])) continue;
    x.push_back(bytes[i]);
    y.push_back(change[i]);
  }
  Line line;
  if (x.empty()) return line;
  line.points = static_cast<double>(x.size());
  const double x_mean = mean(x), y_mean = mean(y);
  double xy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    line.xx += (x[i] - x_mean) * (x[i] - x_mean);
    xy += (x[i] - x_mean) * (y[i] - y_mean);
  }
  if (line.xx == 0) return line;
  line.slope = xy / line.xx;
  line.intercept = y_mean - line.slope * x_mean;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double error = y[i] - line.intercept - line.slope * x[i];
    line.squares += error * error;
  }
  return line;
}

}  // namespace

double median_unbiased_variance(std::span<const double> bytes, std::span<const double> change) {
  const Line line = fit(bytes, change);
  if (line.xx == 0 || line.points < 3) return kNaN;
  const double freedom = line.points - 2;
  const boost::math::chi_squared distribution(freedom);
  return line.squares / boost::math::median(distribution);
}

Slope regress(std::span<const double> bytes, std::span<const double> change, std::span<const double> idle,
              double least_variance) {
  const Line line = fit(bytes, change);
  if (std::isnan(line.slope)) return {kNaN, kInfinity, kNaN};
  if (line.points < 3) return {line.slope, kInfinity, line.intercept};
  const double noise = std::max({line.squares / (line.points - 2), variance(finite(idle)), least_variance});
  const boost::math::students_t distribution(line.points - 2);
  const double half_width = boost::math::quantile(distribution, 0.975) * std::sqrt(noise / line.xx);
  return {line.slope, half_width, line.intercept};
}

}  // namespace sparkmpi::kernels::charge
