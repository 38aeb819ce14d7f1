// Values that rise or fall over the order of the launches.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "analysis/audit/check.hpp"
#include "analysis/compare_sentence.hpp"
#include "analysis/statistics/correlation.hpp"
#include "analysis/statistics/permutation.hpp"
#include "analysis/statistics/sample.hpp"

namespace sparkmpi::analysis::checks {
namespace {

constexpr std::size_t kFewestInRun = 5;

struct Series {
  std::vector<Run> runs;
  std::vector<std::string> names;   ///< model or condition of each
  std::vector<double> rho, change;  ///< of each run; the change from first to last by the fitted line
  double level = 0;
  std::size_t launches = 0;
};

void add_run(const Question& question, const std::vector<Unit>& units, Series& series) {
  Run run;
  for (const Unit& unit : units) run.push_back(unit.value);
  std::vector<double> position(run.size());
  std::iota(position.begin(), position.end(), 0.0);
  series.rho.push_back(spearman(position, run).coefficient);
  series.change.push_back(fit_line(position, run).slope * static_cast<double>(run.size() - 1));
  series.level += mean(run);
  series.launches += run.size();
  series.names.push_back(!question.model.empty()       ? question.model
                         : !question.condition.empty() ? question.condition
                                                       : question.kernel);
  series.runs.push_back(std::move(run));
}

/// "-0.55 and -3.35 GiB (MODEL), …", the six runs that changed most first when there are more.
std::string list_of_runs(const Series& series, std::string_view unit) {
  std::vector<std::size_t> order(series.runs.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  constexpr std::size_t kMost = 6;
  if (order.size() > kMost)
    std::ranges::sort(order, {}, [&](std::size_t i) { return -std::abs(series.rho[i]); });
  std::string text;
  for (std::size_t i = 0; i < std::min(order.size(), kMost); ++i) {
    const std::size_t run = order[i];
    text += fmt::format("{}{:+.2f} and {} ({})", i == 0 ? "" : ", ", series.rho[run],
                        precise(series.change[run], unit), series.names[run]);
  }
  return order.size() > kMost ? fmt::format("{}, and {} more", text, order.size() - kMost) : text;
}

Output run(const Input& input) {
  Output output;
  if (!input.order_known) {
    output.not_possible = "the launches' order is not known";
    return output;
  }
  // One series for each environment and metric, with a run for each model and condition.
  std::map<std::pair<std::string, std::uint32_t>, Series> all;
  for (const Question& question : input.values.questions) {
    if (!is_outcome(input.metric(question)) || input.stands_for[question.metric] != question.metric) continue;
    for (const auto& [environment, units] : by_environment(input, question)) {
      if (units.size() >= kFewestInRun) add_run(question, units, all[{environment, question.metric}]);
    }
  }
  if (all.empty())
    output.not_possible = fmt::format("no environment has {} launches under one condition", kFewestInRun);
  for (const auto& [key, series] : all) {
    const Metric& metric = input.table.metrics()[key.second];
    const double change = mean(series.change), level = series.level / static_cast<double>(series.runs.size());
    const double margin =
        metric.unit == "B" ? input.options.byte_margin : input.options.relative_margin * std::abs(level);
    const PermutationResult test = trend_test(series.runs, draws_for(series.launches), input.options.seed);
    if (std::isnan(test.p)) continue;
    if (std::abs(change) < margin) {
      ++output.silent_tests;
      continue;
    }
    Finding finding;
    const std::string environment = key.first.empty() ? "the launches" : "the " + key.first + " launches";
    finding.p = test.p;
    finding.what =
        fmt::format("{} {} over the order of {}.", metric.name, change < 0 ? "falls" : "rises", environment);
    finding.evidence =
        fmt::format("Spearman's rho of value and order, and change from first to last launch: {}.",
                    list_of_runs(series, metric.unit));
    for (std::uint32_t other = 0; other < input.stands_for.size(); ++other) {
      if (other != key.second && input.stands_for[other] == key.second)
        finding.evidence += fmt::format(" So does {}, the same metric.", input.table.metrics()[other].name);
    }
    finding.advice =
        "No fixed cost of an environment drifts: look for a state that builds up or drains (page cache, "
        "temperature, "
        "fragmentation). Randomise the order, and wait between launches for a verified state.";
    finding.numbers = {{"mean_change", change},
                       {"mean_rho", mean(series.rho)},
                       {"runs", static_cast<double>(series.runs.size())}};
    output.candidates.push_back(std::move(finding));
  }
  return output;
}

}  // namespace

const Check kDrift = {"drift", "do values drift over the order of the launches?", run};

}  // namespace sparkmpi::analysis::checks
