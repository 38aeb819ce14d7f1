#include "analysis/scale.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>

#include "analysis/standouts.hpp"
#include "analysis/statistics/random.hpp"
#include "analysis/statistics/sample.hpp"
#include "base/error.hpp"

namespace sparkmpi::analysis {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kLevel = 0.95;
constexpr std::size_t kResamples = 2000;

/// The launches' values by size.
using Sizes = std::map<double, std::vector<double>>;

double speedup_of(const Metric& metric, Scaling scaling, double value, double base, double times) {
  const double ratio = metric.is_rate() ? value / base : base / value;
  return scaling == Scaling::strong ? ratio : ratio * times;
}

double serial_share(const std::vector<ScalePoint>& points, Scaling scaling) {
  double numerator = 0, denominator = 0;
  for (const ScalePoint& point : points) {
    const double n = point.size / points.front().size;
    const double x = scaling == Scaling::strong ? 1 - 1 / n : n - 1;
    const double y = scaling == Scaling::strong ? 1 / point.speedup - 1 / n : n - point.speedup;
    numerator += x * y;
    denominator += x * x;
  }
  return denominator > 0 ? numerator / denominator : kNaN;
}

std::vector<ScalePoint> points_of(const Metric& metric, Scaling scaling, const Sizes& sizes) {
  std::vector<ScalePoint> points;
  const double base_size = sizes.begin()->first, base = mean(sizes.begin()->second);
  for (const auto& [size, values] : sizes) {
    ScalePoint point;
    point.size = size;
    point.launches = values.size();
    point.value = mean(values);
    point.speedup = speedup_of(metric, scaling, point.value, base, size / base_size);
    point.efficiency = point.speedup / (size / base_size);
    points.push_back(point);
  }
  return points;
}

/// Intervals by drawing launches at every size.
void add_intervals(const Sizes& sizes, Scaling scaling, std::uint64_t seed, ScaleCurve& curve) {
  std::vector<std::vector<double>> efficiencies(curve.points.size());
  std::vector<double> shares;
  Random random(seed);
  for (std::size_t i = 0; i < kResamples; ++i) {
    Sizes drawn;
    for (const auto& [size, values] : sizes) {
      for (std::size_t k = 0; k < values.size(); ++k)
        drawn[size].push_back(values[random.below(values.size())]);
    }
    const std::vector<ScalePoint> points = points_of(curve.metric, scaling, drawn);
    for (std::size_t k = 0; k < points.size(); ++k) efficiencies[k].push_back(points[k].efficiency);
    shares.push_back(serial_share(points, scaling));
  }
  const bool repeated =
      std::ranges::all_of(curve.points, [](const ScalePoint& point) { return point.launches > 1; });
  curve.serial_share_interval = repeated ? percentile_interval(shares, kLevel) : Interval{kNaN, kNaN};
  for (std::size_t k = 0; k < curve.points.size(); ++k) {
    const bool enough = curve.points[k].launches > 1 && curve.points.front().launches > 1;
    curve.points[k].efficiency_interval =
        enough ? percentile_interval(efficiencies[k], kLevel) : Interval{kNaN, kNaN};
  }
}

bool wanted(const ScaleOptions& options, const Metric& metric) {
  if (!options.metrics.empty())
    return std::ranges::find(options.metrics, metric.name) != options.metrics.end();
  return metric.better != results::Better::neither && (metric.is_rate() || metric.unit == "s");
}

}  // namespace

ScaleResult scale(const Table& table, const ScaleOptions& options) {
  const Questions questions = questions_by(table, options.by_nodes ? "nodes" : "ranks");
  ScaleResult result;
  result.options = options;
  bool several = false;
  for (const Question& question : questions.questions) {
    const Metric& metric = table.metrics()[question.metric];
    if (!wanted(options, metric)) continue;
    Sizes sizes;
    for (const Unit& unit : question.units) {
      const Launch& launch = table.launches()[unit.launch];
      sizes[options.by_nodes ? launch.nodes : launch.ranks].push_back(unit.value);
    }
    ScaleCurve curve{question.kernel,
                     question.model,
                     question.condition,
                     metric,
                     points_of(metric, options.scaling, sizes),
                     0,
                     {kNaN, kNaN}};
    curve.serial_share = serial_share(curve.points, options.scaling);
    add_intervals(sizes, options.scaling, options.seed, curve);
    several = several || curve.points.size() > 1;
    result.curves.push_back(std::move(curve));
  }
  if (result.curves.empty())
    throw UsageError("scale: no launch has a rate or a time to scale by; name one with --metric");
  if (!several)
    result.notes.push_back(fmt::format("every launch has the same number of {}: nothing to scale over",
                                       options.by_nodes ? "nodes" : "ranks"));
  find_standouts(
      table, [&](const Metric& metric) { return wanted(options, metric); }, result);
  return result;
}

}  // namespace sparkmpi::analysis
