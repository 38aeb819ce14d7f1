#include "analysis/compare_sentence.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <span>

namespace sparkmpi::analysis {
namespace {

std::string about(const std::string& metrics, const std::string& model, const std::string& condition) {
  std::string text = metrics;
  if (!model.empty()) text += " of " + model;
  if (!condition.empty()) text += " (" + condition + ")";
  return text;
}

/// "native"; "tp=4" where the level is a number, which alone would say nothing.
std::string named(const std::string& level, const CompareOptions& options) {
  double number = 0;
  const auto [end, status] = std::from_chars(level.data(), level.data() + level.size(), number);
  const bool is_number = status == std::errc{} && end == level.data() + level.size();
  return is_number ? options.factor + "=" + level : level;
}

/// "a", "a and b", "a, b and c"; of more than five the first three, "a, b, c and 4 more metrics".
std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 5, kFirst = 3;
  std::string text;
  if (names.size() > kMost) {
    for (std::size_t i = 0; i < kFirst; ++i) text += (i == 0 ? "" : ", ") + names[i];
    return text + fmt::format(" and {} more metrics", names.size() - kFirst);
  }
  for (std::size_t i = 0; i < names.size(); ++i)
    text += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
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
  if (value == 0) return unit == "1" ? "0" : fmt::format("0 {}", unit == "1/s" ? "/s" : unit);
  if (unit == "B") return scaled(kBinary);
  if (unit == "B/s" || unit == "s") return scaled(kDecimal);
  if (unit == "1") return digits(value);
  return fmt::format("{} {}", digits(value), unit == "1/s" ? "/s" : unit);
}

std::string percent(double share) {
  const double value = 100 * share;
  if (!std::isfinite(value)) return "-";  // of nothing, any change is without end
  if (value == 0) return "+0 %";
  return std::abs(value) >= 9.95 ? fmt::format("{:+.1f} %", value) : fmt::format("{:+.2g} %", value);
}

std::string probability(double p) {
  if (std::isnan(p)) return "-";
  if (p == 0) return "0";
  return p >= 1e-3 ? fmt::format("{:.2g}", p) : fmt::format("{:.1e}", p);
}

std::string predicate_of(const Comparison& comparison, const CompareOptions& options) {
  const std::string reference = named(comparison.reference.level, options),
                    other = named(comparison.other.level, options);
  std::string text;
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
      if (never_differs(comparison)) {
        text += fmt::format("{} and {} are the same in every launch ({})", other, reference,
                            precise(comparison.reference.values.front(), comparison.metric.unit));
        break;
      }
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

std::string sentence_of(const Comparison& comparison) {
  return about(comparison.metric.name, comparison.model, comparison.condition) + ": " + comparison.predicate;
}

Statement statement_of(const Comparison& comparison) {
  return {comparison.metric.name, comparison.model, comparison.condition, comparison.predicate,
          comparison.verdict};
}

Statement short_statement_of(const Comparison& comparison, const CompareOptions& options) {
  Statement statement = statement_of(comparison);
  if (comparison.verdict == Verdict::undecided && !std::isnan(comparison.percentile.low))
    statement.predicate =
        fmt::format("{} against {} is undecided: {}.", named(comparison.other.level, options),
                    named(comparison.reference.level, options), what_would_decide(comparison, options));
  return statement;
}

std::vector<Answer> condensed(std::span<const Statement> statements) {
  constexpr std::size_t kNamed = 4;  // models and conditions
  struct Subject {
    std::string model, condition;
    std::vector<std::string> metrics;
  };
  struct Group {
    const Statement* first;
    std::size_t statements = 0;
    std::vector<Subject> subjects;
  };
  std::vector<Group> groups;
  for (const Statement& each : statements) {
    auto group = std::ranges::find_if(groups, [&](const Group& known) {
      return known.first->predicate == each.predicate && known.first->verdict == each.verdict;
    });
    if (group == groups.end()) group = groups.insert(groups.end(), Group{&each, 0, {}});
    ++group->statements;
    auto subject = std::ranges::find_if(group->subjects, [&](const Subject& known) {
      return known.model == each.model && known.condition == each.condition;
    });
    if (subject == group->subjects.end())
      subject = group->subjects.insert(group->subjects.end(), Subject{each.model, each.condition, {}});
    subject->metrics.push_back(each.metric);
  }
  std::vector<Answer> answers;
  for (const Group& group : groups) {
    std::string text;
    std::size_t unnamed = 0;
    for (std::size_t i = 0; i < group.subjects.size(); ++i) {
      const Subject& subject = group.subjects[i];
      if (i < kNamed) {
        text += (i == 0 ? "" : "; ") + about(listed(subject.metrics), subject.model, subject.condition);
      } else {
        unnamed += subject.metrics.size();
      }
    }
    if (unnamed != 0) text += fmt::format("; and {} more", unnamed);
    answers.push_back({group.first->verdict, text + ": " + group.first->predicate, group.statements});
  }
  return answers;
}

}  // namespace sparkmpi::analysis
