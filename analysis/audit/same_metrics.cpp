#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "analysis/audit/check.hpp"
#include "analysis/statistics/correlation.hpp"
#include "analysis/statistics/sample.hpp"

namespace sparkmpi::analysis::checks {
namespace {

constexpr std::size_t kFewestLaunches = 8;
constexpr double kNearlyOne = 0.999;       // R² within groups
constexpr double kResidualOfRange = 0.01;  // the worst point, of the range
constexpr double kConstant = 1e-3;         // relative spread of a ratio or product that is one by definition

/// Two metrics' values in the same launches, and the same with each model's, condition's and environment's
/// means taken away: groups that differ in both metrics would look like a line by themselves.
struct Together {
  std::vector<double> x, y, x_within, y_within;
  std::size_t groups = 0;
};

using GroupKey = std::tuple<std::string, std::string, std::string>;

Together together(const Table& table, const std::vector<const Question*>& first,
                  const std::vector<const Question*>& second) {
  std::map<GroupKey, const Question*> partner;
  for (const Question* question : second)
    partner[{question->kernel, question->model, question->condition}] = question;
  Together all;
  for (const Question* question : first) {
    const auto other = partner.find({question->kernel, question->model, question->condition});
    if (other == partner.end()) continue;
    std::map<std::string, std::pair<std::vector<double>, std::vector<double>>> groups;
    std::size_t at = 0;
    const std::vector<Unit>& units = other->second->units;
    for (const Unit& unit : question->units) {
      while (at < units.size() && units[at].launch < unit.launch) ++at;
      if (at == units.size() || units[at].launch != unit.launch) continue;
      auto& [x, y] = groups[table.launches()[unit.launch].environment];
      x.push_back(unit.value);
      y.push_back(units[at].value);
    }
    for (const auto& [environment, values] : groups) {
      const double mean_x = mean(values.first), mean_y = mean(values.second);
      ++all.groups;
      for (std::size_t i = 0; i < values.first.size(); ++i) {
        all.x.push_back(values.first[i]);
        all.y.push_back(values.second[i]);
        all.x_within.push_back(values.first[i] - mean_x);
        all.y_within.push_back(values.second[i] - mean_y);
      }
    }
  }
  return all;
}

double relative_spread(const std::vector<double>& values) {
  const auto [low, high] = std::ranges::minmax(values);
  const double centre = std::abs(mean(values));
  return centre > 0 ? (high - low) / centre : INFINITY;
}

bool one_by_definition(const Together& values) {
  std::vector<double> ratio, product;
  for (std::size_t i = 0; i < values.x.size(); ++i) {
    ratio.push_back(values.y[i] / values.x[i]);
    product.push_back(values.y[i] * values.x[i]);
  }
  return relative_spread(ratio) < kConstant || relative_spread(product) < kConstant;
}

double range(const std::vector<double>& values) {
  const auto [low, high] = std::ranges::minmax(values);
  return high - low;
}

}  // namespace

std::vector<SameMetric> same_metrics(const Table& table, const Questions& values) {
  std::map<std::uint32_t, std::vector<const Question*>> by_metric;
  for (const Question& question : values.questions) by_metric[question.metric].push_back(&question);
  std::vector<SameMetric> found;
  for (auto first = by_metric.begin(); first != by_metric.end(); ++first) {
    for (auto second = std::next(first); second != by_metric.end(); ++second) {
      if (!is_outcome(table.metrics()[first->first]) || !is_outcome(table.metrics()[second->first])) continue;
      const Together pairs = together(table, first->second, second->second);
      if (pairs.x.size() < pairs.groups + kFewestLaunches) continue;
      const Line within = fit_line(pairs.x_within, pairs.y_within);
      if (!(within.r_squared >= kNearlyOne) ||
          within.largest_residual > kResidualOfRange * range(pairs.y_within))
        continue;
      const Line line = fit_line(pairs.x, pairs.y);
      found.push_back({first->first, second->first, one_by_definition(pairs), line.intercept, line.slope,
                       line.r_squared, line.largest_residual, pairs.x.size()});
    }
  }
  return found;
}

}  // namespace sparkmpi::analysis::checks
