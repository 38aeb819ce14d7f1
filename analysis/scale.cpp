#include "analysis/scale.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "analysis/factor.hpp"
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
    ScalePoint& point = curve.points[k];
    const bool enough = point.launches > 1 && curve.points.front().launches > 1;
    point.efficiency_interval = enough ? percentile_interval(efficiencies[k], kLevel) : Interval{kNaN, kNaN};
    const double times = point.size / curve.points.front().size;
    point.speedup_interval = {point.efficiency_interval.low * times, point.efficiency_interval.high * times};
  }
}

bool wanted(const ScaleOptions& options, const Metric& metric) {
  if (!options.metrics.empty())
    return std::ranges::find(options.metrics, metric.name) != options.metrics.end();
  // Of a divided model each rank reads its own part: bytes a second are a rank's, not the work's.
  if (options.over == Over::tp && metric.unit == "B/s") return false;
  return metric.better != results::Better::neither && (metric.is_rate() || metric.unit == "s");
}

double size_of(const std::string& level) {
  double size = kNaN;
  std::from_chars(level.data(), level.data() + level.size(), size);
  return size;
}

bool some_model_is_divided(const Table& table) {
  return std::ranges::any_of(table.points(),
                             [](const Point& point) { return !tensor_parallel_degree(point).empty(); });
}

}  // namespace

std::string_view to_string(Over over) {
  switch (over) {
    case Over::ranks:
      return "ranks";
    case Over::nodes:
      return "nodes";
    case Over::tp:
      return kTensorParallel;
  }
  return "ranks";
}

Over strong_over(const Table& table) {
  std::set<std::string> degrees;
  for (const Point& point : table.points()) {
    if (const std::string& degree = tensor_parallel_degree(point); !degree.empty()) degrees.insert(degree);
  }
  return degrees.size() > 1 ? Over::tp : Over::ranks;
}

ScaleResult scale(const Table& table, const ScaleOptions& options) {
  if (options.over == Over::tp && options.scaling == Scaling::weak)
    throw UsageError("scale: over tp one work is divided: that is strong scaling, add --strong");
  if (options.over == Over::tp && !some_model_is_divided(table))
    throw UsageError("scale: no launch says over how many ranks it divided its model (inference --tp)");
  const Questions questions = questions_by(table, to_string(options.over));
  ScaleResult result;
  result.options = options;
  bool several = false;
  for (const Question& question : questions.questions) {
    const Metric& metric = table.metrics()[question.metric];
    if (!wanted(options, metric)) continue;
    Sizes sizes;
    for (const Unit& unit : question.units) {
      const double size = size_of(questions.levels[unit.level]);
      if (size > 0) sizes[size].push_back(unit.value);
    }
    if (sizes.empty()) continue;
    ScaleCurve curve{question.kernel,
                     question.model,
                     question.condition,
                     metric,
                     question.metric,
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
    result.notes.push_back(fmt::format("nothing to scale over: under no condition do launches differ in {}",
                                       to_string(options.over)));
  find_standouts(
      table, [&](const Metric& metric) { return wanted(options, metric); }, result);
  return result;
}

}  // namespace sparkmpi::analysis
