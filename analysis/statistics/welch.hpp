#pragma once
// Welch's t test, and equivalence by two one-sided tests of the same kind.

#include <span>

namespace sparkmpi::analysis {

/// The difference mean(b) − mean(a) with variances of their own.
struct Welch {
  double difference, standard_error, degrees_of_freedom, t, p;
  /// The interval of the difference at `level`, e.g. 0.95.
  double low(double level) const;
  double high(double level) const;
};

/// Two-sided (Welch 1947; degrees of freedom by Welch and Satterthwaite). NaN below two values in either
/// sample; without any spread p is 0 for a difference and NaN for none.
Welch welch_test(std::span<const double> a, std::span<const double> b);

/// The same for differences within launches that have both groups: Student's one-sample t test.
Welch paired_test(std::span<const double> differences);

/// The p value of "|difference| < margin": the larger one of two one-sided Welch tests (Schuirmann 1987).
/// Small means equivalent within the margin. Without any spread 0 inside the margin, 1 outside.
double equivalence_p(const Welch& welch, double margin);

}  // namespace sparkmpi::analysis
