// Too few launches to tell environments apart.
#include <fmt/format.h>

#include <algorithm>

#include "analysis/audit/check.hpp"
#include "analysis/statistics/permutation.hpp"

namespace sparkmpi::analysis::checks {
namespace {

constexpr double kAlpha = 0.05;
constexpr std::size_t kFewest = 3;  // below, not even a spread

/// The smallest two-sided p that any data could give.
double smallest_p(std::size_t n, std::size_t m) {
  Block block;
  block.values.assign(n + m, 0);
  block.second.assign(n + m, false);
  std::fill_n(block.second.begin(), m, true);
  const double arrangements = arrangements_of(std::span<const Block>(&block, 1));
  return (n == m ? 2 : 1) / arrangements;
}

Output run(const Input& input) {
  Output output;
  std::size_t fewest = 0, too_few = 0, groups = 0;
  double worst = 0;
  std::string example;
  const auto note = [&](std::size_t launches, double p, const std::string& what) {
    ++too_few;
    if (example.empty() || launches < fewest) {
      fewest = launches;
      example = what;
    }
    worst = std::max(worst, p);
  };
  std::string last;
  for (const Question& question : input.values.questions) {
    const std::string group = question.kernel + " " + question.model + " " + question.condition;
    if (group == last) continue;  // the other metrics have the same launches
    last = group;
    const auto environments = by_environment(input, question);
    std::size_t smallest = SIZE_MAX, second = SIZE_MAX;
    for (const auto& [environment, units] : environments) {
      if (units.size() < smallest) {
        second = smallest;
        smallest = units.size();
      } else {
        second = std::min(second, units.size());
      }
    }
    ++groups;
    const std::string name =
        fmt::format("{}{}{}", question.kernel, question.model.empty() ? "" : " " + question.model,
                    question.condition.empty() ? "" : " (" + question.condition + ")");
    const double p = environments.size() > 1 ? smallest_p(smallest, second) : 0;
    if (smallest < kFewest || p > kAlpha) note(smallest, p, name);
  }
  if (groups == 0) output.not_possible = "there is no complete result";
  if (too_few == 0) return output;
  Finding finding;
  finding.what = fmt::format("{} of {} {} too few launches.", too_few, counted(groups, "condition"),
                             too_few == 1 ? "has" : "have");
  finding.evidence = fmt::format("{} has {} of an environment", example, counted(fewest, "launch"));
  finding.evidence += worst > kAlpha ? fmt::format("; no data from so few could give p below {:.2g}.", worst)
                                     : "; the spread between launches is not known from so few.";
  finding.sure = "certain: it is counted";
  finding.advice =
      "Samples, ranks and nodes of one launch do not replace launches. At least 4 of each environment for "
      "any test; "
      "compare says how many a difference needs.";
  finding.numbers = {{"fewest_launches", static_cast<double>(fewest)},
                     {"conditions", static_cast<double>(too_few)}};
  output.certain.push_back(std::move(finding));
  return output;
}

}  // namespace

const Check kLaunches = {"launches", "are there enough launches?", run};

}  // namespace sparkmpi::analysis::checks
