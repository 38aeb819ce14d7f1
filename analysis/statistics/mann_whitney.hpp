#pragma once
// Mann and Whitney's U test.

#include <span>

namespace sparkmpi::analysis {

struct MannWhitney {
  double u;  ///< pairs in which b is larger, ties counting a half
  double p;  ///< two-sided
  bool exact;
};

/// Exact (all arrangements) without ties and up to 2,500 pairs, otherwise the normal approximation with
/// correction for ties and continuity. NaN when a sample is empty or all values are the same.
MannWhitney mann_whitney_test(std::span<const double> a, std::span<const double> b);

}  // namespace sparkmpi::analysis
