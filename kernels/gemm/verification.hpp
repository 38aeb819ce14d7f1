#pragma once
// Whether a matrix product is right, by two checks in double precision that do not multiply the matrices.

#include <cstdint>
#include <vector>

#include "kernels/device/number_format.hpp"

namespace sparkmpi::kernels::gemm {

struct Shape;

/// Freivalds' check of one row of y (R. Freivalds, Probabilistic machines can use less running time, 1977):
/// with a random r of -1 and 1, y·r must equal x·(wᵀ·r).
struct RowSum {
  double found;   ///< Σ y[i, j]·r[j]
  double wanted;  ///< Σ x[i, l]·(Σ w[j, l]·r[j])
};

/// One element, recomputed.
struct Sample {
  std::int64_t row, column;
  double found, wanted;
  double spread;  ///< √Σ (x[row, l]·w[column, l])²: the scale of rounding in the sum
};

/// Scaled so that w and x have a variance of 1.
struct Evidence {
  std::vector<RowSum> rows;     ///< every row of y
  std::vector<Sample> samples;  ///< some elements, spread over y
};

/// How exactly a device is expected to compute.
struct Precision {
  double output_roundoff;  ///< of the format that y is stored in: 2^-p for p significant bits
  /// Of the running sum for each of the k terms, in units of √k: 2^-24 for single precision, 2^-18 for FP8
  /// sums that the matrix units of Hopper keep to 13 fractional bits and 32 terms at a time.
  double term_roundoff;
};

Precision precision_of(NumberFormat format);

/// r[j] of Freivalds' check, and which elements are sampled: the same on every device.
constexpr std::uint64_t mixed(std::uint64_t x) {  // SplitMix64's output function (Steele, Lea, Flood 2014)
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31U);
}
constexpr double sign_of(std::int64_t column) {
  return (mixed(static_cast<std::uint64_t>(column) ^ 0x5f5f5f5fULL) >> 63U) != 0 ? -1.0 : 1.0;
}
inline constexpr int kSamples = 1024;
// NOLINTBEGIN(clang-analyzer-core.DivideZero): shapes have at least one row and one column
constexpr std::int64_t sampled_row(int sample, std::int64_t rows) {
  return static_cast<std::int64_t>(mixed(2 * static_cast<std::uint64_t>(sample)) %
                                   static_cast<std::uint64_t>(rows));
}
constexpr std::int64_t sampled_column(int sample, std::int64_t columns) {
  return static_cast<std::int64_t>(mixed(2 * static_cast<std::uint64_t>(sample) + 1) %
                                   static_cast<std::uint64_t>(columns));
}
// NOLINTEND(clang-analyzer-core.DivideZero)

/// The largest deviation as a part of what is allowed, so at most 1. Allowed are for a sample output_roundoff
/// · |wanted| + k · term_roundoff · spread, and for a row 6 · √(m·k) · (output_roundoff / 2 + k ·
/// term_roundoff): six standard deviations of m independent roundings of elements of size √k. One element
/// that is wrong by 1.5 times the elements' standard deviation is found in BF16 at 8192 columns; smaller
/// errors are found by the samples where they are frequent. Throws Error that names the first wrong row or
/// element.
double require_right(const Evidence& evidence, const Shape& shape, const Precision& precision);

}  // namespace sparkmpi::kernels::gemm
