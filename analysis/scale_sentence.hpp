#pragma once
// What scaling found, in words.

#include <string>

#include "analysis/scale.hpp"

namespace sparkmpi::analysis {

/// "Amdahl's fit: 3.2 % does not scale (95 % interval 2.1..4.4 %), so at most 31 times as fast."; from
/// two sizes no more than what a third would test; empty where
/// nothing could be fitted.
std::string fit_sentence(const ScaleCurve& curve, Scaling scaling);

/// "decode_tokens_per_s (batch=4): node n3 is at 91 /s, -9 % from the median 100 /s of 8 nodes (modified z =
/// -6.1)".
std::string standout_sentence(const Standout& standout);

/// "12.5 %", "-" for NaN.
std::string share_text(double share);
/// "9.1..13.0 %", "-" for NaN.
std::string share_text(const Interval& interval);

}  // namespace sparkmpi::analysis
