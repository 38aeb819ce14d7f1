// Two metrics that are one: their values lie on a line.
#include <fmt/format.h>

#include <cmath>

#include "analysis/audit/check.hpp"
#include "analysis/compare_sentence.hpp"

namespace sparkmpi::analysis::checks {
namespace {

/// Times and rates of a run come from one clock: that they move together is no news.
bool is_clock(const Metric& metric) {
  return metric.unit == "s" || metric.unit.ends_with("/s") || metric.unit == "1";
}

Output run(const Input& input) {
  Output output;
  for (const SameMetric& same : same_metrics(input.table, input.values)) {
    const Metric &first = input.table.metrics()[same.first], &second = input.table.metrics()[same.second];
    if (same.by_definition || (is_clock(first) && is_clock(second))) continue;
    // first + second/(−slope) = constant, or the plain line.
    const bool falling = same.slope < 0;
    const double constant = falling ? -same.intercept / same.slope : same.intercept;
    Finding finding;
    finding.what = fmt::format("{} and {} are one metric: each can be computed from the other.", first.name,
                               second.name);
    finding.evidence = fmt::format(
        "In all {} {} = {} {} {:.4g} x {} to within {} (R² = {:.6f}){}.", counted(same.launches, "launch"),
        second.name, precise(same.intercept, second.unit), falling ? "-" : "+", std::abs(same.slope),
        first.name, precise(same.largest_residual, second.unit), same.r_squared,
        falling ? fmt::format("; {} + {} / {:.4g} is always {}", first.name, second.name, -same.slope,
                              precise(constant, first.unit))
                : std::string());
    finding.sure = "certain: the relation holds within every model and environment, not only between them";
    finding.advice = fmt::format(
        "Report one of them; a change in {} is no second observation beside a change in {}. To learn about "
        "both, pin one "
        "(a KV cache of fixed bytes or tokens).",
        second.name, first.name);
    finding.numbers = {{"intercept", same.intercept},
                       {"slope", same.slope},
                       {"constant", constant},
                       {"r_squared", same.r_squared},
                       {"largest_residual", same.largest_residual},
                       {"launches", static_cast<double>(same.launches)}};
    output.certain.push_back(std::move(finding));
  }
  return output;
}

}  // namespace

const Check kAffine = {"affine", "is one metric a linear function of another?", run};

}  // namespace sparkmpi::analysis::checks
