#pragma once
// Nodes and ranks that stand apart.

#include <cstddef>
#include <span>
#include <vector>

namespace sparkmpi::analysis {

inline constexpr double kOutlyingScore = 3.5;
inline constexpr std::size_t kFewestForScores = 5;

/// 0.6745·(x − median)/MAD for each value (Iglewicz and Hoaglin 1993). Where the MAD is 0, (x − median) /
/// (1.2533 · mean absolute deviation). The spread is never taken below `resolution`, the instrument's own
/// step, in the values' unit. Empty below five values: give signed differences instead.
std::vector<double> modified_z_scores(std::span<const double> values, double resolution);

}  // namespace sparkmpi::analysis
