#include "cli/compare_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "analysis/compare_sentence.hpp"
#include "cli/text_table.hpp"

namespace sparkmpi::cli {
namespace {

using analysis::Comparison;
using analysis::precise;
using analysis::Verdict;

Tone tone_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::different:
    case Verdict::small:
      return Tone::bad;
    case Verdict::equivalent:
      return Tone::good;
    case Verdict::undecided:
      return Tone::unsure;
  }
  return Tone::unsure;
}

/// "-0.61..+0.12": the interval of the difference in percent of the reference.
std::string relative_interval(const Comparison& comparison) {
  const double scale = 100 * comparison.relative / comparison.difference;
  if (!std::isfinite(scale) || std::isnan(comparison.percentile.low)) return "-";
  const auto number = [&](double value) {
    const double share = value * scale;
    return std::abs(share) >= 9.95 ? fmt::format("{:+.1f}", share) : fmt::format("{:+.2g}", share);
  };
  return number(comparison.percentile.low) + ".." + number(comparison.percentile.high);
}

std::string title_of(const Comparison& comparison) {
  std::string title = comparison.kernel;
  if (!comparison.model.empty()) title += (title.empty() ? "" : "  ") + comparison.model;
  if (!comparison.condition.empty()) title += (title.empty() ? "" : "  ") + comparison.condition;
  return title.empty() ? "all" : printable(title);
}

bool same_group(const Comparison& a, const Comparison& b) {
  return a.kernel == b.kernel && a.model == b.model && a.condition == b.condition;
}

void print_group(const Terminal& terminal, std::span<const Comparison> group) {
  const Comparison& first = group.front();
  terminal.print(fmt::format("\n{}\n", terminal.toned(title_of(first), Tone::strong)));
  std::string counts = fmt::format("{} launches of {}", first.reference.launches, first.reference.level);
  for (const Comparison& comparison : group) {
    if (comparison.metric.name != first.metric.name) continue;
    counts += fmt::format(", {} of {}", comparison.other.launches, comparison.other.level);
  }
  terminal.print_wrapped(counts, " ", " ");
  const bool several = std::ranges::any_of(
      group, [&](const Comparison& comparison) { return comparison.other.level != first.other.level; });
  const TextTable table(terminal, {{"metric", 24, true},
                                   {first.reference.level, 11},
                                   {several ? "other" : first.other.level, 11},
                                   {"change", 8},
                                   {"95 % interval", 15},
                                   {"verdict"}});
  table.print_header();
  std::string metric;
  for (const Comparison& comparison : group) {
    const std::string& unit = comparison.metric.unit;
    const std::string reference = precise(comparison.reference.mean, unit);
    const bool fresh = comparison.metric.name != metric;
    metric = comparison.metric.name;
    // Several levels against one reference: the metric once, then a line for each.
    if (several && fresh) table.print_row({metric, reference});
    table.print_row({several ? "  " + comparison.other.level : metric, several ? "" : reference,
                     precise(comparison.other.mean, unit), analysis::percent(comparison.relative),
                     relative_interval(comparison), std::string(to_string(comparison.verdict))},
                    tone_of(comparison.verdict));
  }
}

}  // namespace

void print_comparison(const Terminal& terminal, const analysis::CompareResult& result) {
  terminal.print_wrapped(
      fmt::format("{} of {} launches, against {}; {}", result.factor, result.launches, result.reference,
                  result.within_launch ? "paired within launches" : "launch against launch"),
      "", "");
  std::span<const Comparison> left(result.comparisons);
  while (!left.empty()) {
    std::size_t size = 1;
    while (size < left.size() && same_group(left.front(), left[size])) ++size;
    print_group(terminal, left.first(size));
    left = left.subspan(size);
  }
  terminal.print("\n");
  std::vector<analysis::Statement> statements;
  for (const Comparison& comparison : result.comparisons) statements.push_back(statement_of(comparison));
  for (const analysis::Answer& answer : analysis::condensed(statements))
    terminal.print_wrapped(answer.sentence, "- ", "  ");
  std::vector<std::string> notes = result.notes;
  for (const Comparison& comparison : result.comparisons) {
    for (const std::string& caution : comparison.cautions) {
      if (std::ranges::find(notes, caution) == notes.end()) notes.push_back(caution);
    }
  }
  if (!notes.empty()) terminal.print("\n");
  for (const std::string& note : notes)
    terminal.print_wrapped(note, terminal.toned("note: ", Tone::unsure), "      ");
}

Rows comparison_rows(const analysis::CompareResult& result) {
  Rows rows{{"kernel",
             "model",
             "condition",
             "metric",
             "unit",
             "factor",
             "reference",
             "level",
             "launches_reference",
             "launches",
             "mean_reference",
             "mean",
             "median_reference",
             "median",
             "deviation_reference",
             "deviation",
             "difference",
             "relative_difference",
             "ci95_low",
             "ci95_high",
             "bca95_low",
             "bca95_high",
             "resamples",
             "permutation_p",
             "arrangements",
             "exact",
             "adjusted_p",
             "correction",
             "welch_t",
             "welch_df",
             "welch_p",
             "mann_whitney_u",
             "mann_whitney_p",
             "shapiro_w_reference",
             "shapiro_p_reference",
             "shapiro_w",
             "shapiro_p",
             "cohen_d",
             "hedges_g",
             "hedges_g_low",
             "hedges_g_high",
             "power_for_margin",
             "margin",
             "tost_p",
             "adjusted_tost_p",
             "verdict",
             "launches_to_decide",
             "cautions",
             "sentence"},
            {}};
  const auto exact = [](double value) {
    return std::isnan(value) ? std::string() : fmt::format("{}", value);
  };
  const auto count = [](std::size_t value) { return fmt::format("{}", value); };
  for (const Comparison& c : result.comparisons) {
    rows.rows.push_back({c.kernel,
                         c.model,
                         c.condition,
                         c.metric.name,
                         c.metric.unit,
                         result.factor,
                         c.reference.level,
                         c.other.level,
                         count(c.reference.launches),
                         count(c.other.launches),
                         exact(c.reference.mean),
                         exact(c.other.mean),
                         exact(c.reference.median),
                         exact(c.other.median),
                         exact(c.reference.deviation),
                         exact(c.other.deviation),
                         exact(c.difference),
                         exact(c.relative),
                         exact(c.percentile.low),
                         exact(c.percentile.high),
                         exact(c.bca.low),
                         exact(c.bca.high),
                         count(c.resamples),
                         exact(c.permutation.p),
                         exact(c.permutation.arrangements),
                         c.permutation.exact ? "1" : "0",
                         exact(c.adjusted_p),
                         c.primary ? "holm" : "benjamini-hochberg",
                         exact(c.welch.t),
                         exact(c.welch.degrees_of_freedom),
                         exact(c.welch.p),
                         exact(c.mann_whitney.u),
                         exact(c.mann_whitney.p),
                         exact(c.reference.normality.w),
                         exact(c.reference.normality.p),
                         exact(c.other.normality.w),
                         exact(c.other.normality.p),
                         exact(c.effect.d),
                         exact(c.effect.g),
                         exact(c.effect.low),
                         exact(c.effect.high),
                         exact(c.power),
                         exact(c.margin),
                         exact(c.equivalence_p),
                         exact(c.adjusted_equivalence_p),
                         std::string(to_string(c.verdict)),
                         count(c.launches_to_decide),
                         fmt::format("{}", fmt::join(c.cautions, "; ")),
                         c.sentence});
  }
  return rows;
}

}  // namespace sparkmpi::cli
