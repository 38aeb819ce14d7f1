// Numbers that look as if they had another unit than they claim.
#include <fmt/format.h>

#include <array>

#include "analysis/audit/check.hpp"
#include "analysis/statistics/sample.hpp"

namespace sparkmpi::analysis::checks {
namespace {

struct Suffix {
  std::string_view ending, unit;
};
// The longest ending that fits decides.
constexpr std::array<Suffix, 6> kSuffixes = {{{"_bytes_per_s", "B/s"},
                                              {"_flops_per_s", "flop/s"},
                                              {"_per_s", "1/s"},
                                              {"_bytes", "B"},
                                              {"_celsius", "degC"},
                                              {"_s", "s"}}};

std::string_view unit_by_name(std::string_view name) {
  for (const Suffix& suffix : kSuffixes) {
    if (name.ends_with(suffix.ending)) return suffix.unit;
  }
  return {};
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// What a typical value looks like instead; empty when it looks right.
std::string looks_like(const Metric& metric, double value) {
  if (metric.unit == "B" && value > 0 && value < 4096) return "GiB or MiB (less than one page of memory)";
  if (metric.unit == "B/s" && value > 0 && value < 1e6) return "GB/s or MB/s (less than 1 MB/s)";
  if (metric.unit == "s" && value > 5 && (contains(metric.name, "tpot") || contains(metric.name, "itl")))
    return "milliseconds (more than 5 s a token)";
  if (metric.unit == "s" && value > 1e5) return "milliseconds or less (more than a day)";
  if (metric.unit == "1" && value > 1.5 &&
      (contains(metric.name, "mbu") || contains(metric.name, "utilisation")))
    return "percent (a share above 1)";
  return {};
}

Output run(const Input& input) {
  Output output;
  for (std::uint32_t i = 0; i < input.table.metrics().size(); ++i) {
    const Metric& metric = input.table.metrics()[i];
    std::vector<double> values;
    for (const Question& question : input.values.questions) {
      if (question.metric != i) continue;
      for (const Unit& unit : question.units) values.push_back(unit.value);
    }
    if (values.empty()) continue;
    const double typical = median(values);
    const std::string_view expected = unit_by_name(metric.name);
    const std::string guess = looks_like(metric, typical);
    if ((expected.empty() || expected == metric.unit) && guess.empty()) continue;
    Finding finding;
    finding.what = fmt::format("The unit of {} looks wrong.", metric.name);
    finding.evidence = guess.empty()
                           ? fmt::format("The name says '{}', the unit '{}'.", expected, metric.unit)
                           : fmt::format("The median of the launches is {:.4g} '{}', which looks like {}.",
                                         typical, metric.unit, guess);
    finding.sure = guess.empty() ? "certain: name and unit contradict each other" : "suspect";
    finding.advice = "Look up the unit at the source and import the values again.";
    finding.numbers = {{"median", typical}};
    output.certain.push_back(std::move(finding));
  }
  return output;
}

}  // namespace

const Check kUnits = {"units", "do the values fit their units?", run};

}  // namespace sparkmpi::analysis::checks
