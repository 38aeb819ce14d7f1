#include "analysis/compare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "analysis/compare_sentence.hpp"
#include "analysis/statistics/multiplicity.hpp"
#include "analysis/statistics/sample.hpp"
#include "base/error.hpp"
#include "base/near_match.hpp"

namespace sparkmpi::analysis {
namespace {

constexpr double kLevel = 0.95;
constexpr double kPower = 0.8;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::uint32_t reference_level(const Questions& questions, const std::string& asked) {
  const std::string name = asked.empty() ? "native" : asked;
  const auto found = std::ranges::find(questions.levels, name);
  if (found != questions.levels.end()) return static_cast<std::uint32_t>(found - questions.levels.begin());
  if (asked.empty()) return 0;
  const std::vector<std::string_view> views(questions.levels.begin(), questions.levels.end());
  throw UsageError(fmt::format("--reference {}: is no level of {}{}; there are {}", asked, questions.factor,
                               did_you_mean(asked, views), fmt::join(questions.levels, ", ")));
}

/// The units of two levels of a question.
struct Groups {
  std::vector<const Unit*> reference, other;  ///< in the order of time
};

Groups groups_of(const Table& table, const Question& question, std::uint32_t reference, std::uint32_t other) {
  Groups groups;
  for (const Unit& unit : question.units) {
    if (unit.level == reference) groups.reference.push_back(&unit);
    if (unit.level == other) groups.other.push_back(&unit);
  }
  const auto in_time = [&](const Unit* unit) { return table.launches()[unit->launch].position; };
  std::ranges::sort(groups.reference, {}, in_time);
  std::ranges::sort(groups.other, {}, in_time);
  return groups;
}

LevelSummary summarise(const Table& table, const std::string& level, const Metric& metric,
                       const std::vector<const Unit*>& units, const CompareOptions& options) {
  LevelSummary summary;
  summary.level = level;
  summary.launches = units.size();
  for (const Unit* unit : units) {
    summary.values.push_back(unit->value);
    summary.positions.push_back(table.launches()[unit->launch].position);
  }
  summary.mean = metric.is_rate() ? harmonic_mean(summary.values) : mean(summary.values);
  summary.median = median(summary.values);
  summary.deviation = std::sqrt(variance(summary.values));
  const Bootstrap bootstrap = bootstrap_mean(summary.values, draws_for(units.size()), options.seed);
  summary.interval = percentile_interval(bootstrap.replicates, kLevel);
  summary.normality = shapiro_wilk_test(summary.values);
  return summary;
}

/// Launches that have both levels, as differences and as blocks.
struct Pairs {
  std::vector<double> differences;
  std::vector<Block> blocks;
};

Pairs pairs_of(const Groups& groups) {
  std::map<std::uint32_t, std::pair<double, double>> by_launch;
  for (const Unit* unit : groups.reference) by_launch[unit->launch] = {unit->value, kNaN};
  for (const Unit* unit : groups.other) {
    const auto found = by_launch.find(unit->launch);
    if (found != by_launch.end()) found->second.second = unit->value;
  }
  Pairs pairs;
  for (const auto& [launch, values] : by_launch) {
    if (std::isnan(values.second)) continue;
    pairs.differences.push_back(values.second - values.first);
    pairs.blocks.push_back({{values.first, values.second}, {false, true}});
  }
  return pairs;
}

/// The study's blocks; one for all launches when it had none.
std::vector<Block> blocks_of(const Table& table, const Groups& groups) {
  std::map<std::string, Block> blocks;
  const auto add = [&](const Unit* unit, bool second) {
    const Launch& launch = table.launches()[unit->launch];
    Block& block = blocks[launch.block.empty() ? std::string() : launch.study + '\x1f' + launch.block];
    block.values.push_back(unit->value);
    block.second.push_back(second);
  };
  for (const Unit* unit : groups.reference) add(unit, false);
  for (const Unit* unit : groups.other) add(unit, true);
  std::vector<Block> list;
  list.reserve(blocks.size());
  for (auto& [name, block] : blocks) list.push_back(std::move(block));
  return list;
}

void add_cautions(const Table& table, Comparison& comparison, bool within_launch) {
  const LevelSummary &reference = comparison.reference, &other = comparison.other;
  const std::size_t fewest = std::min(reference.launches, other.launches);
  if (fewest < kFewLaunchesForBca)
    comparison.cautions.push_back(
        fmt::format("BCa intervals are unreliable below {} launches (here {})", kFewLaunchesForBca, fewest));
  const bool known = std::ranges::all_of(table.launches(), &Launch::position_known);
  if (within_launch || !known || fewest < 2) return;
  const bool first_reference = reference.positions.back() < other.positions.front();
  if (first_reference || other.positions.back() < reference.positions.front())
    comparison.cautions.push_back(fmt::format(
        "all {} launches ran before all {} launches: a drift over time would look the same",
        first_reference ? reference.level : other.level, first_reference ? other.level : reference.level));
}

void measure(const Table& table, const Groups& groups, bool within_launch, const CompareOptions& options,
             Comparison& comparison) {
  const std::vector<double>&a = comparison.reference.values, &b = comparison.other.values;
  comparison.resamples = draws_for(a.size() + b.size());
  Bootstrap bootstrap;
  std::vector<Block> blocks;
  if (within_launch) {
    Pairs pairs = pairs_of(groups);
    comparison.welch = paired_test(pairs.differences);
    comparison.difference = mean(pairs.differences);
    bootstrap = bootstrap_mean(pairs.differences, comparison.resamples, options.seed);
    blocks = std::move(pairs.blocks);
  } else {
    comparison.welch = welch_test(a, b);
    comparison.difference = mean(b) - mean(a);
    bootstrap = bootstrap_difference(a, b, comparison.resamples, options.seed);
    blocks = blocks_of(table, groups);
  }
  comparison.relative = comparison.difference / std::abs(mean(a));
  comparison.percentile = percentile_interval(bootstrap.replicates, kLevel);
  comparison.bca = bootstrap.replicates.empty() ? Interval{kNaN, kNaN}
                                                : bca_interval(bootstrap.replicates, comparison.difference,
                                                               bootstrap.jackknife, kLevel);
  comparison.permutation = permutation_test(blocks, comparison.resamples, options.seed);
  comparison.mann_whitney = mann_whitney_test(a, b);
  comparison.effect = effect_size(a, b, kLevel);
  comparison.margin = margin_of(comparison.metric, mean(a), options);
  comparison.equivalence_p = equivalence_p(comparison.welch, comparison.margin);
  const double pooled = std::sqrt((variance(a) + variance(b)) / 2);
  comparison.power =
      pooled > 0 ? power_of_t_test(comparison.margin / pooled, a.size(), b.size(), options.alpha) : kNaN;
}

/// The smallest two-sided p of a permutation test: the arrangement that was seen and, with groups of one
/// size, its mirror image.
double smallest_p_of(const Comparison& comparison) {
  const bool mirrored = comparison.reference.launches == comparison.other.launches;
  return comparison.permutation.arrangements > 0 ? (mirrored ? 2 : 1) / comparison.permutation.arrangements
                                                 : 1;
}

/// The fewest launches of each level for which a permutation test can come below `p`, in a design like this
/// one.
std::size_t launches_for_smallest_p(double p, const Comparison& comparison) {
  const std::size_t n = comparison.reference.launches, m = comparison.other.launches;
  Block whole{std::vector<double>(n + m), std::vector<bool>(n + m)};
  std::fill_n(whole.second.begin(), m, true);
  const double arrangements = comparison.permutation.arrangements;
  if (arrangements < arrangements_of(std::span<const Block>(&whole, 1))) {
    // Blocks, or pairs within launches: each further block multiplies the arrangements by as much.
    const double by_launch =
        std::max(std::log(2.0), std::log(arrangements) / static_cast<double>(std::min(n, m)));
    return static_cast<std::size_t>(std::ceil(std::log(2 / p) / by_launch - 1e-9));
  }
  std::size_t enough = 0;
  for (double ways = 1; 2 / ways > p; ++enough) {
    const auto next = static_cast<double>(enough + 1);
    ways *= 2 * next * (2 * next - 1) / (next * next);  // C(2n, n) from C(2n − 2, n − 1)
  }
  return enough;
}

/// p values of all comparisons together, then what they say.
void decide(CompareResult& result, const CompareOptions& options) {
  for (const bool primary : {true, false}) {
    std::vector<double> p, equivalence;
    std::vector<Comparison*> members;
    for (Comparison& comparison : result.comparisons) {
      if (comparison.primary != primary) continue;
      members.push_back(&comparison);
      p.push_back(comparison.permutation.p);
      equivalence.push_back(comparison.equivalence_p);
    }
    const auto tests =
        static_cast<double>(std::ranges::count_if(p, [](double each) { return !std::isnan(each); }));
    for (Comparison* const member : members)
      member->smallest_p = std::min(1.0, smallest_p_of(*member) * (primary ? tests : 1));
    p = primary ? holm(p) : benjamini_hochberg(p);
    equivalence = primary ? holm(equivalence) : benjamini_hochberg(equivalence);
    for (std::size_t i = 0; i < members.size(); ++i) {
      members[i]->adjusted_p = p[i];
      members[i]->adjusted_equivalence_p = equivalence[i];
    }
  }
  for (Comparison& comparison : result.comparisons) {
    const bool differs = comparison.adjusted_p <= options.alpha,
               equivalent = comparison.adjusted_equivalence_p <= options.alpha;
    comparison.verdict = never_differs(comparison) ? Verdict::equivalent
                         : differs && equivalent   ? Verdict::small
                         : differs                 ? Verdict::different
                         : equivalent              ? Verdict::equivalent
                                                   : Verdict::undecided;
    if (comparison.verdict == Verdict::undecided) {
      const double pooled =
          std::sqrt((variance(comparison.reference.values) + variance(comparison.other.values)) / 2);
      const std::size_t to_differ = launches_needed(comparison.effect.d, options.alpha, kPower);
      const std::size_t to_be_equal =
          launches_for_equivalence(comparison.difference, comparison.margin, pooled, options.alpha, kPower);
      comparison.launches_to_decide = to_differ == 0     ? to_be_equal
                                      : to_be_equal == 0 ? to_differ
                                                         : std::min(to_differ, to_be_equal);
      if (comparison.smallest_p > options.alpha) {
        const double tests = comparison.smallest_p / smallest_p_of(comparison);
        comparison.launches_to_decide = std::max(comparison.launches_to_decide,
                                                 launches_for_smallest_p(options.alpha / tests, comparison));
      }
    }
    comparison.predicate = predicate_of(comparison, options);
    comparison.sentence = sentence_of(comparison);
  }
}

bool asked_for(const CompareOptions& options, const Metric& metric) {
  return options.metrics.empty() || std::ranges::find(options.metrics, metric.name) != options.metrics.end();
}

}  // namespace

bool never_differs(const Comparison& comparison) {
  const std::vector<double>&a = comparison.reference.values, &b = comparison.other.values;
  const auto same = [&](double value) { return value == a.front(); };
  return a.size() > 1 && b.size() > 1 && std::ranges::all_of(a, same) && std::ranges::all_of(b, same);
}

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::different:
      return "different";
    case Verdict::small:
      return "small";
    case Verdict::equivalent:
      return "equivalent";
    case Verdict::undecided:
      return "undecided";
  }
  return "?";
}

double margin_of(const Metric& metric, double reference_mean, const CompareOptions& options) {
  return metric.unit == "B" ? options.byte_margin : options.relative_margin * std::abs(reference_mean);
}

CompareResult compare(const Table& table, const CompareOptions& options) {
  const Questions questions = questions_by(table, options.factor, options.location);
  CompareResult result{options.factor,
                       "",
                       questions.levels,
                       table.launches().size(),
                       questions.incomplete_points,
                       questions.within_launch,
                       {},
                       {}};
  if (questions.levels.size() < 2) {
    throw UsageError(
        fmt::format("--by {}: there is only {}; nothing to compare it with", options.factor,
                    questions.levels.empty() ? "no complete result" : "'" + questions.levels.front() + "'"));
  }
  const std::uint32_t reference = reference_level(questions, options.reference);
  result.reference = questions.levels[reference];
  std::size_t alone = 0;
  for (const Question& question : questions.questions) {
    const Metric& metric = table.metrics()[question.metric];
    if (!asked_for(options, metric)) continue;
    bool compared = false;
    for (std::uint32_t other = 0; other < questions.levels.size(); ++other) {
      if (other == reference) continue;
      const Groups groups = groups_of(table, question, reference, other);
      if (groups.reference.empty() || groups.other.empty()) continue;
      Comparison comparison;
      comparison.kernel = question.kernel;
      comparison.model = question.model;
      comparison.condition = question.condition;
      comparison.metric = metric;
      comparison.metric_index = question.metric;
      comparison.primary = metric.better != results::Better::neither;
      comparison.reference = summarise(table, result.reference, metric, groups.reference, options);
      comparison.other = summarise(table, questions.levels[other], metric, groups.other, options);
      measure(table, groups, questions.within_launch, options, comparison);
      add_cautions(table, comparison, questions.within_launch);
      result.comparisons.push_back(std::move(comparison));
      compared = true;
    }
    alone += compared ? 0 : 1;
  }
  if (alone > 0)
    result.notes.push_back(
        fmt::format("{} metrics under a condition have no launch of {} beside another {}: not compared",
                    alone, result.reference, options.factor));
  if (questions.incomplete_points > 0)
    result.notes.push_back(
        fmt::format("{} points that did not complete are left out", questions.incomplete_points));
  decide(result, options);
  return result;
}

}  // namespace sparkmpi::analysis
