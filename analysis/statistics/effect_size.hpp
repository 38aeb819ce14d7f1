#pragma once
// How large a difference is in units of the spread, and what it takes to see one.

#include <cstddef>
#include <span>

namespace sparkmpi::analysis {

struct EffectSize {
  double d;          ///< Cohen's d: (mean(b) − mean(a)) / pooled standard deviation
  double g;          ///< Hedges' g: d without its bias for small samples (exact gamma functions, Hedges 1981)
  double low, high;  ///< the interval of g, by inverting the noncentral t distribution
};

/// NaN below two values in either sample or without any spread.
EffectSize effect_size(std::span<const double> a, std::span<const double> b, double level = 0.95);

/// The probability that a two-sided t test (pooled variance) of n and m values at `alpha` sees an effect d.
double power_of_t_test(double d, std::size_t n, std::size_t m, double alpha);

/// The smallest number of values in each of two groups for which that probability reaches `power`; 0 when
/// more than a million would be needed, or d is 0 or NaN.
std::size_t launches_needed(double d, double alpha, double power);

/// The smallest number in each of two groups with which two one-sided t tests find a difference of
/// `difference` equivalent within `margin` with that probability (normal approximation, standard deviation
/// `spread` in both); 0 when none does, since the difference is not inside the margin.
std::size_t launches_for_equivalence(double difference, double margin, double spread, double alpha,
                                     double power);

}  // namespace sparkmpi::analysis
