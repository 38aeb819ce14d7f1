#include "analysis/standouts.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "analysis/statistics/outliers.hpp"
#include "analysis/statistics/sample.hpp"

namespace sparkmpi::analysis {
namespace {

constexpr double kResolution = 1e-3;   // of the median: finer steps than timing can tell
constexpr double kWorthSaying = 0.02;  // smallest difference that is listed with fewer than five

void look_at(const Questions& questions, const Question& question, const Metric& metric,
             std::string_view what, ScaleResult& result) {
  // Each level's mean over its launches, relative to the launch's own mean, so that launches of different
  // speed agree.
  std::map<std::uint32_t, double> launch_sum, launch_count;
  for (const Unit& unit : question.units) {
    launch_sum[unit.launch] += unit.value;
    ++launch_count[unit.launch];
  }
  std::map<std::uint32_t, std::vector<double>> of_level;
  for (const Unit& unit : question.units)
    of_level[unit.level].push_back(unit.value / (launch_sum[unit.launch] / launch_count[unit.launch]));
  const double overall = [&] {
    std::vector<double> all;
    for (const Unit& unit : question.units) all.push_back(unit.value);
    return mean(all);
  }();
  std::vector<double> values;
  std::vector<std::uint32_t> levels;
  for (const auto& [level, shares] : of_level) {
    levels.push_back(level);
    values.push_back(mean(shares) * overall);
  }
  if (values.size() < 2) return;
  const double centre = median(values);
  const std::vector<double> scores = modified_z_scores(values, kResolution * std::abs(centre));
  const auto standout = [&](std::size_t i, double score) {
    return Standout{question.kernel,
                    question.model,
                    question.condition,
                    metric.name,
                    metric.unit,
                    std::string(what),
                    questions.levels[levels[i]],
                    values[i],
                    centre,
                    values[i] / centre - 1,
                    score,
                    values.size()};
  };
  if (scores.empty()) {
    std::size_t farthest = 0;
    for (std::size_t i = 1; i < values.size(); ++i) {
      if (std::abs(values[i] - centre) > std::abs(values[farthest] - centre)) farthest = i;
    }
    if (std::abs(values[farthest] / centre - 1) >= kWorthSaying)
      result.differences.push_back(standout(farthest, std::numeric_limits<double>::quiet_NaN()));
    return;
  }
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (std::abs(scores[i]) > kOutlyingScore) result.standouts.push_back(standout(i, scores[i]));
  }
}

}  // namespace

void find_standouts(const Table& table, const std::function<bool(const Metric&)>& wanted,
                    ScaleResult& result) {
  for (const std::string_view what : {"node", "rank"}) {
    const Questions questions = questions_by(table, what);
    if (questions.levels.size() < 2) continue;
    for (const Question& question : questions.questions) {
      const Metric& metric = table.metrics()[question.metric];
      if (wanted(metric)) look_at(questions, question, metric, what, result);
    }
  }
}

}  // namespace sparkmpi::analysis
