#include "analysis/compare_sentence.hpp"

#include <fmt/format.h>

#include <cmath>

#include "results/quantity.hpp"

namespace sparkmpi::analysis {
namespace {

using results::format_quantity;

std::string subject(const Comparison& comparison) {
  std::string text = comparison.metric.name;
  if (!comparison.model.empty()) text += " of " + comparison.model;
  if (!comparison.condition.empty()) text += " (" + comparison.condition + ")";
  return text;
}

/// "0.512 GiB (0.7 %) above": the sign in words, good and bad left to the reader who knows which is which.
std::string distance(const Comparison& comparison) {
  return fmt::format("{} ({}) {}", format_quantity(std::abs(comparison.difference), comparison.metric.unit),
                     percent(std::abs(comparison.relative)).substr(1),
                     comparison.difference < 0 ? "below" : "above");
}

std::string interval(const Comparison& comparison) {
  return fmt::format("95 % interval {} to {}",
                     format_quantity(comparison.percentile.low, comparison.metric.unit),
                     format_quantity(comparison.percentile.high, comparison.metric.unit));
}

std::string margin(const Comparison& comparison, const CompareOptions& options) {
  if (comparison.metric.unit == "B") return "±" + format_quantity(comparison.margin, "B");
  return "±" + percent(options.relative_margin).substr(1);
}

std::string correction(const Comparison& comparison) {
  return comparison.primary ? "Holm" : "Benjamini-Hochberg";
}

std::string what_would_decide(const Comparison& comparison, const CompareOptions& options) {
  const std::size_t fewest = std::min(comparison.reference.launches, comparison.other.launches);
  if (comparison.launches_to_decide == 0)
    return fmt::format(
        "the difference is about the size of the margin {}: declare another margin or measure finer",
        margin(comparison, options));
  if (comparison.launches_to_decide <= fewest)
    return fmt::format(
        "about {} launches of each should have done: a few more, or fewer tests at once, would decide",
        comparison.launches_to_decide);
  return fmt::format("about {} launches of each would decide (now {} and {})", comparison.launches_to_decide,
                     comparison.reference.launches, comparison.other.launches);
}

}  // namespace

std::string percent(double share) {
  const double value = 100 * share;
  if (std::isnan(value)) return "-";
  if (value == 0) return "+0 %";
  return std::abs(value) >= 9.95 ? fmt::format("{:+.1f} %", value) : fmt::format("{:+.2g} %", value);
}

std::string probability(double p) {
  if (std::isnan(p)) return "-";
  return p >= 1e-3 ? fmt::format("{:.2g}", p) : fmt::format("{:.1e}", p);
}

std::string sentence_of(const Comparison& comparison, const CompareOptions& options) {
  const std::string &reference = comparison.reference.level, &other = comparison.other.level;
  std::string text = subject(comparison) + ": ";
  switch (comparison.verdict) {
    case Verdict::different:
      text +=
          fmt::format("{} is {} {} ({}; p = {} after {}): different", other, distance(comparison), reference,
                      interval(comparison), probability(comparison.adjusted_p), correction(comparison));
      break;
    case Verdict::small:
      text += fmt::format("{} is {} {} (p = {} after {}), and that is within {}: a real but small difference",
                          other, distance(comparison), reference, probability(comparison.adjusted_p),
                          correction(comparison), margin(comparison, options));
      break;
    case Verdict::equivalent:
      text += fmt::format("{} and {} are equivalent within {} (difference {}, TOST p = {} after {})", other,
                          reference, margin(comparison, options), percent(comparison.relative),
                          probability(comparison.adjusted_equivalence_p), correction(comparison));
      break;
    case Verdict::undecided:
      text +=
          std::isnan(comparison.percentile.low)
              ? fmt::format("one launch says nothing about the spread of launches; {}",
                            what_would_decide(comparison, options))
              : fmt::format(
                    "undecided: {} is {} {} ({}), neither told apart (p = {}) nor shown equal within {}; {}",
                    other, distance(comparison), reference, interval(comparison),
                    probability(comparison.adjusted_p), margin(comparison, options),
                    what_would_decide(comparison, options));
      break;
  }
  return text + ".";
}

}  // namespace sparkmpi::analysis
