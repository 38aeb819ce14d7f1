#pragma once
// Location and spread of a sample. Every function leaves NaN values out, and answers NaN where the sample is
// too small for the question.

#include <cstddef>
#include <span>
#include <vector>

namespace sparkmpi::analysis {

/// The values that are not NaN.
std::vector<double> finite(std::span<const double> values);

double mean(std::span<const double> values);
/// n / Σ(1/x): the mean of rates over equal work. 0 with a value of 0, NaN with a negative one.
double harmonic_mean(std::span<const double> values);
double median(std::span<const double> values);
/// With n − 1; NaN below two values.
double variance(std::span<const double> values);

/// Ranks from 1, ties sharing their mean rank, and Σ(t³ − t) over the tied groups.
struct Ranks {
  std::vector<double> ranks;
  double tie_sum = 0;
};
/// `values` must hold no NaN.
Ranks ranks_of(std::span<const double> values);

}  // namespace sparkmpi::analysis
