#include "analysis/statistics/correlation.hpp"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "analysis/statistics/sample.hpp"

namespace sparkmpi::analysis {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

struct Pairs {
  std::vector<double> x, y;
};

Pairs complete(std::span<const double> x, std::span<const double> y) {
  Pairs pairs;
  for (std::size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
    if (std::isnan(x[i]) || std::isnan(y[i])) continue;
    pairs.x.push_back(x[i]);
    pairs.y.push_back(y[i]);
  }
  return pairs;
}

struct Moments {
  double mean_x = 0, mean_y = 0, xx = 0, yy = 0, xy = 0;
};

Moments moments_of(const Pairs& pairs) {
  Moments moments{mean(pairs.x), mean(pairs.y), 0, 0, 0};
  for (std::size_t i = 0; i < pairs.x.size(); ++i) {
    const double x = pairs.x[i] - moments.mean_x, y = pairs.y[i] - moments.mean_y;
    moments.xx += x * x;
    moments.yy += y * y;
    moments.xy += x * y;
  }
  return moments;
}

}  // namespace

Correlation spearman(std::span<const double> x, std::span<const double> y) {
  Pairs pairs = complete(x, y);
  if (pairs.x.size() < 3) return {kNaN, kNaN};
  pairs = {ranks_of(pairs.x).ranks, ranks_of(pairs.y).ranks};
  const Moments moments = moments_of(pairs);
  if (moments.xx == 0 || moments.yy == 0) return {kNaN, kNaN};
  const double rho = std::clamp(moments.xy / std::sqrt(moments.xx * moments.yy), -1.0, 1.0);
  const auto df = static_cast<double>(pairs.x.size() - 2);
  if (1 - rho * rho < 1e-15) return {rho, 0};
  const double t = std::abs(rho) * std::sqrt(df / (1 - rho * rho));
  return {rho, 2 * boost::math::cdf(boost::math::complement(boost::math::students_t_distribution<>(df), t))};
}

Line fit_line(std::span<const double> x, std::span<const double> y) {
  const Pairs pairs = complete(x, y);
  if (pairs.x.size() < 3) return {kNaN, kNaN, kNaN, kNaN};
  const Moments moments = moments_of(pairs);
  if (moments.xx == 0) return {kNaN, kNaN, kNaN, kNaN};
  Line line{0, moments.xy / moments.xx, 0, 0};
  line.intercept = moments.mean_y - line.slope * moments.mean_x;
  line.r_squared = moments.yy == 0 ? kNaN : moments.xy * moments.xy / (moments.xx * moments.yy);
  for (std::size_t i = 0; i < pairs.x.size(); ++i) {
    line.largest_residual =
        std::max(line.largest_residual, std::abs(pairs.y[i] - line.intercept - line.slope * pairs.x[i]));
  }
  return line;
}

}  // namespace sparkmpi::analysis
