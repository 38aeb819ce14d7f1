#pragma once
// bfloat16 as 16 bits: the upper half of an IEEE 754 single; and IEEE half precision.

#include <bit>
#include <cstdint>

#include "kernels/inference/small_float.hpp"

namespace sparkmpi::kernels::inference {

using Bf16 = std::uint16_t;

constexpr float to_float(Bf16 value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value) << 16);
}

/// Round to nearest, ties to even; NaN stays NaN.
constexpr Bf16 to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffU) > 0x7f800000U) return static_cast<Bf16>((bits >> 16) | 0x40U);
  return static_cast<Bf16>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16);
}

using Half = SmallFloat<5, 10>;

/// IEEE 754 half precision to single, exactly.
constexpr float half_to_float(std::uint16_t half) {
  if ((half & 0x7c00U) == 0x7c00U) {
    const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000U) << 16, mantissa = half & 0x3ffU;
    return std::bit_cast<float>(sign | 0x7f800000U | (mantissa << 13));
  }
  return Half::to_float(half);
}

/// Single to half precision: round to nearest, ties to even; infinite from 65520 on, NaN stays NaN.
constexpr std::uint16_t to_half(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000U);
  const std::uint32_t magnitude = bits & 0x7fffffffU;
  if (magnitude > 0x7f800000U) return static_cast<std::uint16_t>(sign | 0x7e00U);
  if (magnitude >= 0x477ff000U) return static_cast<std::uint16_t>(sign | 0x7c00U);
  return static_cast<std::uint16_t>(sign | Half::rounded(magnitude));
}

}  // namespace sparkmpi::kernels::inference
