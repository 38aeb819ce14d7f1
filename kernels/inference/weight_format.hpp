#pragma once
// The formats of a linear layer's weights, bit by bit, and how they lie in memory.
//
// A matrix W has `rows` outputs and `columns` inputs, y = W·x. Everywhere it is row-major over outputs, in up
// to three planes without padding (the host pads rows of the first plane to a stride):
//
//   format    values                              scales                            zero points
//   bf16      u16 [rows, columns]                 -                                 -
//   fp8_e4m3  u8 [rows, columns]                  f32 [rows]                        -
//   int4_awq  u8 [rows, columns/2], two codes a   f16 [rows, columns/128]           u8 [rows, ⌈columns/256⌉],
//             byte, the even column's low                                           two a byte, even group
//             low
//   mxfp4     u8 [rows, columns/2], two codes a   u8 (E8M0) [rows, columns/32]      -
//             byte, the even column's low
//
// and mean W[r, c] = to_float(v), e4m3(v)·s, (v - z)·s, e2m1(v)·e8m0(s). columns is a multiple of 128 for
// int4_awq and of 32 for mxfp4. mxfp4 is exactly what gpt-oss checkpoints hold for one expert ([rows,
// columns/32, 16] bytes). AWQ checkpoints hold the transpose in another order of nibbles; weight_source.hpp
// brings it into this one.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "kernels/inference/bf16.hpp"
#include "kernels/inference/small_float.hpp"

namespace sparkmpi::kernels::inference {

enum class WeightFormat : std::uint8_t { bf16, fp8_e4m3, int4_awq, mxfp4 };

/// "bf16", "fp8", "awq", "mxfp4": the words of --weights.
constexpr std::string_view to_string(WeightFormat format) {
  switch (format) {
    case WeightFormat::bf16:
      return "bf16";
    case WeightFormat::fp8_e4m3:
      return "fp8";
    case WeightFormat::int4_awq:
      return "awq";
    case WeightFormat::mxfp4:
      return "mxfp4";
  }
  return "unknown";
}
constexpr std::optional<WeightFormat> parse_weight_format(std::string_view word) {
  for (const WeightFormat format :
       {WeightFormat::bf16, WeightFormat::fp8_e4m3, WeightFormat::int4_awq, WeightFormat::mxfp4}) {
    if (word == to_string(format)) return format;
  }
  return std::nullopt;
}

/// Columns that share a scale; 0: none do (bf16) or the whole row does (fp8_e4m3).
constexpr std::size_t group_columns(WeightFormat format) {
  return format == WeightFormat::int4_awq ? 128 : format == WeightFormat::mxfp4 ? 32 : 0;
}

/// Bytes of one row in each plane.
struct RowBytes {
  std::size_t values, scales, zeros;
  constexpr std::size_t all() const { return values + scales + zeros; }
};
constexpr RowBytes row_bytes(WeightFormat format, std::size_t columns) {
  switch (format) {
    case WeightFormat::bf16:
      return {columns * 2, 0, 0};
    case WeightFormat::fp8_e4m3:
      return {columns, 4, 0};
    case WeightFormat::int4_awq:
      return {columns / 2, columns / 128 * 2, (columns / 128 + 1) / 2};
    case WeightFormat::mxfp4:
      return {columns / 2, columns / 32, 0};
  }
  return {0, 0, 0};
}

// FP8 E4M3 (OCP 8-bit Floating Point Specification 1.0, "E4M3"; float8_e4m3fn elsewhere): bias 7, no
// infinities, NaN is S.1111.111, the largest number is 448.

constexpr float kE4m3Largest = 448.0F;

using E4m3 = SmallFloat<4, 3>;

constexpr float e4m3_to_float(std::uint8_t code) {
  if ((code & 0x7fU) == 0x7fU)
    return std::bit_cast<float>(static_cast<std::uint32_t>(code & 0x80U) << 24 | 0x7fc00000U);
  return E4m3::to_float(code);
}

/// Round to nearest, ties to even; what is larger than 448 becomes 448 (±), NaN stays NaN.
constexpr std::uint8_t to_e4m3(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint8_t>((bits >> 24) & 0x80U);
  const std::uint32_t magnitude = bits & 0x7fffffffU;
  if (magnitude > 0x7f800000U) return static_cast<std::uint8_t>(sign | 0x7fU);
  if (magnitude >= 0x43e00000U) return static_cast<std::uint8_t>(sign | 0x7eU);  // 448
  return static_cast<std::uint8_t>(sign | E4m3::rounded(magnitude));
}

// MXFP4 (OCP Microscaling Formats 1.0): elements E2M1, a shared scale E8M0.

/// ±{0, 0.5, 1, 1.5, 2, 3, 4, 6}; bit 3 is the sign.
constexpr float e2m1_to_float(std::uint8_t code) {
  const std::uint32_t sign = static_cast<std::uint32_t>(code & 0x8U) << 28;
  const std::uint32_t exponent = (code >> 1) & 0x3U, mantissa = code & 0x1U;
  const std::uint32_t bits = exponent != 0   ? ((exponent + 126) << 23) | (mantissa << 22)
                             : mantissa != 0 ? 0x3f000000U
                                             : 0;
  return std::bit_cast<float>(sign | bits);
}

/// 2^(code - 127), down to the subnormal 2^-127; 255 is NaN.
constexpr float e8m0_to_float(std::uint8_t code) {
  if (code == 0xffU) return std::bit_cast<float>(0x7fc00000U);
  return std::bit_cast<float>(code == 0 ? 0x00400000U : static_cast<std::uint32_t>(code) << 23);
}

/// Code `index` of a row of two codes a byte.
constexpr std::uint8_t nibble(const std::uint8_t* row, std::size_t index) {
  return static_cast<std::uint8_t>((row[index / 2] >> (4 * (index % 2))) & 0xfU);
}

}  // namespace sparkmpi::kernels::inference
