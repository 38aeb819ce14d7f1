#pragma once
// A comparison's answer in plain words.

#include <string>
#include <string_view>

#include "analysis/compare.hpp"

namespace sparkmpi::analysis {

/// "peak_memory_bytes of X: docker is 21.7 GiB (30.1 %) above native, …: different."
std::string sentence_of(const Comparison& comparison, const CompareOptions& options);

/// "+30.1 %", "-0.24 %": two significant digits below 10 %, one decimal above.
std::string percent(double share);
/// "119.7 /s", "70.45 GiB": four digits, since differences of a per mille are looked at; "-" for NaN.
std::string precise(double value, std::string_view unit);
/// "0.013", "1.7e-06".
std::string probability(double p);

}  // namespace sparkmpi::analysis
