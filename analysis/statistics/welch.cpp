#include "analysis/statistics/welch.hpp"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>

#include "analysis/statistics/sample.hpp"

namespace sparkmpi::analysis {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// P(T > t).
double upper_tail(double t, double degrees_of_freedom) {
  if (std::isnan(t)) return kNaN;
  if (std::isinf(t)) return t > 0 ? 0 : 1;
  return boost::math::cdf(
      boost::math::complement(boost::math::students_t_distribution<>(degrees_of_freedom), t));
}

double quantile_of(double probability, double degrees_of_freedom) {
  return boost::math::quantile(boost::math::students_t_distribution<>(degrees_of_freedom), probability);
}

/// t and p from the difference and its standard error.
void judge(Welch& test) {
  if (test.standard_error == 0) {
    if (test.difference == 0) return;
    test.t = std::copysign(std::numeric_limits<double>::infinity(), test.difference);
    test.p = 0;
    return;
  }
  test.t = test.difference / test.standard_error;
  test.p = 2 * upper_tail(std::abs(test.t), test.degrees_of_freedom);
}

}  // namespace

double Welch::low(double level) const {
  if (!(standard_error > 0)) return standard_error == 0 ? difference : kNaN;
  return difference - quantile_of((1 + level) / 2, degrees_of_freedom) * standard_error;
}

double Welch::high(double level) const {
  if (!(standard_error > 0)) return standard_error == 0 ? difference : kNaN;
  return difference + quantile_of((1 + level) / 2, degrees_of_freedom) * standard_error;
}

Welch welch_test(std::span<const double> a, std::span<const double> b) {
  const std::vector<double> first = finite(a), second = finite(b);
  Welch result{mean(second) - mean(first), kNaN, kNaN, kNaN, kNaN};
  if (first.size() < 2 || second.size() < 2) return result;
  const double of_a = variance(first) / static_cast<double>(first.size()),
               of_b = variance(second) / static_cast<double>(second.size()), sum = of_a + of_b;
  result.standard_error = std::sqrt(sum);
  result.degrees_of_freedom = sum == 0 ? kNaN
                                       : sum * sum /
                                             (of_a * of_a / static_cast<double>(first.size() - 1) +
                                              of_b * of_b / static_cast<double>(second.size() - 1));
  judge(result);
  return result;
}

Welch paired_test(std::span<const double> differences) {
  const std::vector<double> values = finite(differences);
  Welch result{mean(values), kNaN, kNaN, kNaN, kNaN};
  if (values.size() < 2) return result;
  result.standard_error = std::sqrt(variance(values) / static_cast<double>(values.size()));
  result.degrees_of_freedom = static_cast<double>(values.size() - 1);
  judge(result);
  return result;
}

double equivalence_p(const Welch& welch, double margin) {
  if (welch.standard_error == 0) return std::abs(welch.difference) < margin ? 0 : 1;
  if (!(welch.standard_error > 0)) return kNaN;
  return std::max(upper_tail((welch.difference + margin) / welch.standard_error, welch.degrees_of_freedom),
                  upper_tail((margin - welch.difference) / welch.standard_error, welch.degrees_of_freedom));
}

}  // namespace sparkmpi::analysis
