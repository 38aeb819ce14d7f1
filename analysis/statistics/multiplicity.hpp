#pragma once
// p values of several tests at once.

#include <span>
#include <vector>

namespace sparkmpi::analysis {

/// Holm (1979): bounds the chance of any false rejection. NaN stays NaN and counts as no test.
std::vector<double> holm(std::span<const double> p);
/// Benjamini and Hochberg (1995): bounds the expected share of false ones among the rejections.
std::vector<double> benjamini_hochberg(std::span<const double> p);

}  // namespace sparkmpi::analysis
