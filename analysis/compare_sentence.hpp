#pragma once
// A comparison's answer in plain words.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/compare.hpp"

namespace sparkmpi::analysis {

/// "docker is 21.7 GiB (30.1 %) above native, …: different."
std::string predicate_of(const Comparison& comparison, const CompareOptions& options);
/// "peak_memory_bytes of X (batch=4): " and the predicate.
std::string sentence_of(const Comparison& comparison);

/// Something said of one metric under one condition.
struct Statement {
  std::string metric, model, condition, predicate;
  Verdict verdict = Verdict::undecided;
};
Statement statement_of(const Comparison& comparison);
/// For an overview: without the numbers of what is undecided, so that all of the same kind become one
/// sentence.
Statement short_statement_of(const Comparison& comparison, const CompareOptions& options);

struct Answer {
  Verdict verdict = Verdict::undecided;
  std::string sentence;
  std::size_t statements = 0;  ///< that it stands for
};
/// One sentence for all of whom the same is said ("ttft_s and tpot_s of X: one launch says nothing …"), at
/// the place of the first of them.
std::vector<Answer> condensed(std::span<const Statement> statements);

/// "+30.1 %", "-0.24 %": two significant digits below 10 %, one decimal above.
std::string percent(double share);
/// "119.7 /s", "70.45 GiB": four digits, since differences of a per mille are looked at; "-" for NaN.
std::string precise(double value, std::string_view unit);
/// "0.013", "1.7e-06".
std::string probability(double p);

}  // namespace sparkmpi::analysis
