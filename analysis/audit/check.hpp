#pragma once
// What every check of the audit gets and gives.

#include <span>
#include <string>
#include <vector>

#include "analysis/audit.hpp"
#include "analysis/units.hpp"

namespace sparkmpi::analysis::checks {

struct Input {
  const Table& table;
  const AuditOptions& options;
  const Questions& values;  ///< one value for each launch
  bool order_known = false;
  /// For each metric the one that stands for it: metrics that are the same by definition, or affine functions
  /// of each other, are tested once.
  std::vector<std::uint32_t> stands_for;

  const Metric& metric(const Question& question) const { return table.metrics()[question.metric]; }
  const Launch& launch(const Unit& unit) const { return table.launches()[unit.launch]; }
};

struct Output {
  std::vector<Finding> certain;     ///< findings that need no test
  std::vector<Finding> candidates;  ///< with p: findings if they survive the correction
  std::size_t silent_tests = 0;     ///< further tests made, whose size was below the margins
  std::string not_possible;
};

struct Check {
  std::string_view name, question;
  Output (*run)(const Input& input);
};

extern const Check kAffine, kIdentical, kCapacity, kBandwidth, kDrift, kOrder, kUnits, kLaunches, kMissing,
    kThrottled, kWeights;

/// Metrics whose values are one: by definition (a constant ratio or product) or affine.
struct SameMetric {
  std::uint32_t first, second;
  bool by_definition = false;
  double intercept = 0, slope = 0;  ///< second = intercept + slope·first
  double r_squared = 0, largest_residual = 0;
  std::size_t launches = 0;
};
std::vector<SameMetric> same_metrics(const Table& table, const Questions& values);

/// Values of the question by environment, in the order of time.
std::map<std::string, std::vector<Unit>> by_environment(const Input& input, const Question& question);
/// Whether more or less of it is better, or it is memory: what a study is about.
bool is_outcome(const Metric& metric);
/// "3 launches", "1 launch".
std::string counted(std::size_t count, std::string_view noun);

}  // namespace sparkmpi::analysis::checks
