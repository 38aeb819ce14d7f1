#include "analysis/compare_sentence.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <span>

namespace sparkmpi::analysis {
namespace {

std::string subject(const Comparison& comparison) {
  std::string text = comparison.metric.name;
  if (!comparison.model.empty()) text += " of " + comparison.model;
  if (!comparison.condition.empty()) text += " (" + comparison.condition + ")";
  return text;
}

/// "0.512 GiB (0.7 %) above": the sign in words, good and bad left to the reader who knows which is which.
std::string distance(const Comparison& comparison) {
  return fmt::format("{} ({}) {}", precise(std::abs(comparison.difference), comparison.metric.unit),
                     percent(std::abs(comparison.relative)).substr(1),
                     comparison.difference < 0 ? "below" : "above");
}

std::string interval(const Comparison& comparison) {
  return fmt::format("95 % interval {} to {}", precise(comparison.percentile.low, comparison.metric.unit),
                     precise(comparison.percentile.high, comparison.metric.unit));
}

std::string margin(const Comparison& comparison, const CompareOptions& options) {
  if (comparison.metric.unit == "B") return "±" + precise(comparison.margin, "B");
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
  if (comparison.smallest_p > options.alpha)
    return fmt::format(
        "no data from {} and {} launches could give p below {} here; at least {} of each are needed",
        comparison.reference.launches, comparison.other.launches, probability(comparison.smallest_p),
        comparison.launches_to_decide);
  if (comparison.launches_to_decide <= fewest)
    return fmt::format(
        "about {} launches of each should have done: a few more, or fewer tests at once, would decide",
        comparison.launches_to_decide);
  return fmt::format("about {} launches of each would decide (now {} and {})", comparison.launches_to_decide,
                     comparison.reference.launches, comparison.other.launches);
}

}  // namespace

std::string precise(double value, std::string_view unit) {
  if (std::isnan(value)) return "-";
  struct Prefix {
    double scale;
    std::string_view name;
  };
  constexpr std::array<Prefix, 5> kBinary = {
      {{0x1p40, "Ti"}, {0x1p30, "Gi"}, {0x1p20, "Mi"}, {0x1p10, "Ki"}, {1, ""}}};
  constexpr std::array<Prefix, 8> kDecimal = {
      {{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}, {1, ""}, {1e-3, "m"}, {1e-6, "u"}, {1e-9, "n"}}};
  const auto digits = [](double number) {
    const double size = std::abs(number);
    if (size >= 999.5 && size < 1e7) return fmt::format("{:.0f}", number);
    return size >= 1e7 || size < 1e-3 ? fmt::format("{:.4g}", number) : fmt::format("{:#.4g}", number);
  };
  const auto scaled = [&](std::span<const Prefix> prefixes) {
    for (const Prefix& prefix : prefixes) {
      if (std::abs(value) >= prefix.scale) {
        return fmt::format("{} {}{}", digits(value / prefix.scale), prefix.name, unit);
      }
    }
    return fmt::format("{:.4g} {}", value, unit);
  };
  if (value == 0) return fmt::format("0 {}", unit);
  if (unit == "B") return scaled(kBinary);
  if (unit == "B/s" || unit == "s") return scaled(kDecimal);
  if (unit == "1") return digits(value);
  return fmt::format("{} {}", digits(value), unit == "1/s" ? "/s" : unit);
}

std::string percent(double share) {
  const double value = 100 * share;
  if (std::isnan(value)) return "-";
  if (value == 0) return "+0 %";
  return std::abs(value) >= 9.95 ? fmt::format("{:+.1f} %", value) : fmt::format("{:+.2g} %", value);
}

std::string probability(double p) {
  if (std::isnan(p)) return "-";
  if (p == 0) return "0";
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
