#pragma once
// Comparing levels of one factor, launch against launch, with everything a reader needs to judge the answer.

#include <cstdint>
#include <string>
#include <vector>

#include "analysis/statistics/bootstrap.hpp"
#include "analysis/statistics/effect_size.hpp"
#include "analysis/statistics/mann_whitney.hpp"
#include "analysis/statistics/permutation.hpp"
#include "analysis/statistics/shapiro_wilk.hpp"
#include "analysis/statistics/welch.hpp"
#include "analysis/units.hpp"

namespace sparkmpi::analysis {

struct CompareOptions {
  std::string factor = "environment";
  std::string reference;             ///< empty: "native" where there is one, else the first level
  std::vector<std::string> metrics;  ///< empty: all of the table
  LocationOf location = LocationOf::mean;
  double alpha = 0.05;
  double relative_margin = 0.01;                  ///< of everything but bytes
  double byte_margin = 0.5 * 1024 * 1024 * 1024;  ///< of metrics in bytes
  std::uint64_t seed = 1;
};

/// What decides, after correction for the other tests of the call.
enum class Verdict : std::uint8_t {
  different,   ///< permutation p at most alpha
  small,       ///< different, and yet equivalent within the margin
  equivalent,  ///< two one-sided tests at most alpha, or never_differs()
  undecided,   ///< neither
};
std::string_view to_string(Verdict verdict);

/// One level's launches.
struct LevelSummary {
  std::string level;
  std::size_t launches = 0;
  double mean = 0;  ///< harmonic over launches for rates
  double median = 0, deviation = 0;
  Interval interval{0, 0};  ///< of the arithmetic mean: percentile bootstrap over launches, 95 %
  ShapiroWilk normality{0, 0};
  std::vector<double> values;          ///< in the order of time
  std::vector<std::size_t> positions;  ///< each launch's place in time
};

struct Comparison {
  std::string kernel, model, condition;
  Metric metric;
  std::uint32_t metric_index = 0;  ///< in the table
  bool primary = false;  ///< Holm over all primary ones; the others are screened by Benjamini and Hochberg
  LevelSummary reference, other;
  double difference = 0;                 ///< other − reference, arithmetic means of launches
  double relative = 0;                   ///< of the reference's mean
  Interval percentile{0, 0}, bca{0, 0};  ///< of the difference, 95 %, cluster bootstrap over launches
  std::size_t resamples = 0;
  PermutationResult permutation;
  double smallest_p = 0;  ///< that any data from so few launches could give, after correction
  double adjusted_p = 0;  ///< of the permutation test
  Welch welch{};
  MannWhitney mann_whitney{};
  EffectSize effect{};
  double power = 0;   ///< of these launches for a difference as large as the margin
  double margin = 0;  ///< in the metric's unit
  double equivalence_p = 0, adjusted_equivalence_p = 0;
  Verdict verdict = Verdict::undecided;
  std::size_t launches_to_decide = 0;  ///< in each level, 80 % power; 0: decided, or no number of them would
  std::vector<std::string> cautions;   ///< what weakens the answer
  std::string predicate;               ///< the answer in plain words, without what it is about
  std::string sentence;                ///< with it
};
/// Whether all launches of both levels have one value, with at least two of each: then no statistic can say
/// more, whatever the margin (a share of zero is zero).
bool never_differs(const Comparison& comparison);

struct CompareResult {
  std::string factor, reference;
  std::vector<std::string> levels;
  std::size_t launches = 0, incomplete_points = 0;
  bool within_launch = false;
  std::vector<Comparison> comparisons;
  std::vector<std::string> notes;  ///< conditions that have only one level, …
};

/// Throws UsageError when the factor has fewer than two levels, or the reference is none of them.
CompareResult compare(const Table& table, const CompareOptions& options);

/// The margin within which a metric's difference counts as none, around a reference mean.
double margin_of(const Metric& metric, double reference_mean, const CompareOptions& options);

}  // namespace sparkmpi::analysis
