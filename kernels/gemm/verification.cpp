#include "kernels/gemm/verification.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "kernels/gemm/product.hpp"

namespace sparkmpi::kernels::gemm {

Precision precision_of(NumberFormat format) {
  const double single = std::exp2(-24);
  switch (format) {
    case NumberFormat::fp32:
    case NumberFormat::tf32:
      return {single, single};
    case NumberFormat::bf16:
      return {std::exp2(-8), single};
    case NumberFormat::fp16:
      return {std::exp2(-11), single};
    case NumberFormat::fp8_e4m3:  // stored as BF16
      break;
  }
  return {std::exp2(-8), std::exp2(-18)};
}

double require_right(const Evidence& evidence, const Shape& shape, const Precision& precision) {
  const auto m = static_cast<double>(shape.m), k = static_cast<double>(shape.k);
  double worst = 0;
  const double row_allowed =
      6 * std::sqrt(m * k) * (precision.output_roundoff / 2 + k * precision.term_roundoff);
  for (std::size_t row = 0; row < evidence.rows.size(); ++row) {
    const RowSum& sum = evidence.rows[row];
    const double deviation = std::abs(sum.found - sum.wanted) / row_allowed;
    if (!(deviation <= 1)) {
      throw Error(
          fmt::format("gemm: wrong result: row {} of {} deviates from x·(wᵀ·r) by {:.3g}; {:.3g} is allowed",
                      row, shape.n, std::abs(sum.found - sum.wanted), row_allowed));
    }
    worst = std::max(worst, deviation);
  }
  for (const Sample& sample : evidence.samples) {
    const double allowed =
        precision.output_roundoff * std::abs(sample.wanted) + k * precision.term_roundoff * sample.spread;
    const double deviation = std::abs(sample.found - sample.wanted) / allowed;
    if (!(deviation <= 1)) {
      throw Error(
          fmt::format("gemm: wrong result: element ({}, {}) is {:.6g} instead of {:.6g}; {:.3g} is allowed",
                      sample.row, sample.column, sample.found, sample.wanted, allowed));
    }
    worst = std::max(worst, deviation);
  }
  return worst;
}

}  // namespace sparkmpi::kernels::gemm
