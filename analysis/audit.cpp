#include "analysis/audit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <numeric>

#include "analysis/audit/check.hpp"
#include "analysis/compare_sentence.hpp"
#include "analysis/statistics/multiplicity.hpp"

namespace sparkmpi::analysis {
namespace {

using checks::Check;

std::span<const Check* const> all_checks() {
  static constexpr std::array<const Check*, 11> kChecks = {
      &checks::kCapacity, &checks::kBandwidth, &checks::kIdentical, &checks::kAffine,
      &checks::kOrder,    &checks::kDrift,     &checks::kUnits,     &checks::kLaunches,
      &checks::kMissing,  &checks::kThrottled, &checks::kWeights};
  return kChecks;
}

std::vector<std::uint32_t> representatives(const Table& table, const Questions& values) {
  std::vector<std::uint32_t> stands_for(table.metrics().size());
  std::iota(stands_for.begin(), stands_for.end(), 0U);
  for (const checks::SameMetric& same : checks::same_metrics(table, values)) {
    const std::uint32_t keep = std::min(stands_for[same.first], stands_for[same.second]);
    const std::uint32_t drop = std::max(stands_for[same.first], stands_for[same.second]);
    for (std::uint32_t& each : stands_for) each = each == drop ? keep : each;
  }
  return stands_for;
}

}  // namespace

std::optional<ModelFacts> model_facts_from_name(std::string_view model) {
  for (std::size_t i = 0; i < model.size(); ++i) {
    const bool starts = std::isdigit(static_cast<unsigned char>(model[i])) != 0 &&
                        (i == 0 || std::isalnum(static_cast<unsigned char>(model[i - 1])) == 0);
    if (!starts) continue;
    std::size_t end = i;
    while (end < model.size() &&
           (std::isdigit(static_cast<unsigned char>(model[end])) != 0 || model[end] == '.'))
      ++end;
    const bool billions =
        end < model.size() && (model[end] == 'B' || model[end] == 'b') &&
        (end + 1 == model.size() || std::isalnum(static_cast<unsigned char>(model[end + 1])) == 0);
    if (!billions) continue;
    constexpr double kLeastBytes = 0.5;
    const double bytes =
        std::strtod(std::string(model.substr(i, end - i)).c_str(), nullptr) * 1e9 * kLeastBytes;
    return ModelFacts{bytes, 0, true};
  }
  return std::nullopt;
}

AuditReport audit(const Table& table, const AuditOptions& options) {
  const Questions values = launch_values(table);
  const bool order_known =
      !table.launches().empty() && std::ranges::all_of(table.launches(), &Launch::position_known);
  const checks::Input input{table, options, values, order_known, representatives(table, values)};
  AuditReport report;
  report.launches = table.launches().size();
  report.level = options.level;
  std::vector<double> p;
  std::vector<Finding> candidates;
  std::vector<std::size_t> check_of;
  std::size_t silent = 0;
  for (const Check* check : all_checks()) {
    checks::Output output = check->run(input);
    report.checks.push_back({std::string(check->name), std::string(check->question), output.certain.size(),
                             std::move(output.not_possible)});
    for (Finding& finding : output.certain) {
      finding.check = check->name;
      report.findings.push_back(std::move(finding));
    }
    for (Finding& finding : output.candidates) {
      finding.check = check->name;
      p.push_back(finding.p);
      check_of.push_back(report.checks.size() - 1);
      candidates.push_back(std::move(finding));
    }
    silent += output.silent_tests;
  }
  // Tests whose effect is below the margins count for the correction, though they can't become findings.
  p.insert(p.end(), silent, 1.0);
  report.tests =
      static_cast<std::size_t>(std::ranges::count_if(p, [](double each) { return !std::isnan(each); }));
  const std::vector<double> adjusted = holm(p);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (!(adjusted[i] <= options.level)) continue;
    candidates[i].sure = fmt::format("p = {}, {} after Holm over the {} of this audit", probability(p[i]),
                                     probability(adjusted[i]), checks::counted(report.tests, "test"));
    ++report.checks[check_of[i]].findings;
    report.findings.push_back(std::move(candidates[i]));
  }
  return report;
}

}  // namespace sparkmpi::analysis
