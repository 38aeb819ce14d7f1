#pragma once
// How many bytes a ledger moved for each byte that was really allocated: a straight line through (bytes,
// change).

#include <span>

namespace sparkmpi::kernels::charge {

/// A slope with its two-sided 95 % interval.
struct Slope {
  double value = 0;       ///< NaN when it can't be estimated
  double half_width = 0;  ///< of the interval; +infinity with fewer than three points or two sizes
  double intercept = 0;   ///< bytes; what the step moved whatever the size
  double low() const { return value - half_width; }
  double high() const { return value + half_width; }
};

/// Ordinary least squares of `change` on `bytes` with Student's t interval. The residual variance is taken as
/// no smaller than that of the idle cells, which saw the same machine without allocating: points that happen
/// to fall on a line do not make a noisy ledger exact. NaN changes (a ledger that did not answer) are left
/// out.
/// @param idle changes of the same ledger over cells that allocated nothing; may be empty.
/// @param least_variance known from elsewhere; the residual variance is no smaller either.
Slope regress(std::span<const double> bytes, std::span<const double> change, std::span<const double> idle,
              double least_variance = 0);

/// The residual variance of the straight line through (bytes, change), as an estimate that is median-unbiased
/// for Gaussian noise, so that the median of several lines' estimates is one of the noise that they share.
/// NaN with fewer than three points or two sizes.
double median_unbiased_variance(std::span<const double> bytes, std::span<const double> change);

}  // namespace sparkmpi::kernels::charge
