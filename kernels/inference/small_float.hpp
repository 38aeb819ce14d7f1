#pragma once
// Binary floats of a few bits, laid out as IEEE 754 lays out its own: the sign, the exponent with the bias
// 2^(exponent bits − 1) − 1, the mantissa; subnormals below the least exponent. What their largest codes mean
// (infinities, NaN, numbers) differs from format to format and is left to the format.

#include <bit>
#include <cstdint>

namespace sparkmpi::kernels::inference {

template <unsigned kExponentBits, unsigned kMantissaBits>
struct SmallFloat {
  static constexpr std::uint32_t kBias = (1U << (kExponentBits - 1)) - 1;
  static constexpr std::uint32_t kRebias = 127 - kBias;         ///< to the exponent of a single
  static constexpr unsigned kDroppedBits = 23 - kMantissaBits;  ///< of a single's mantissa

  static constexpr float power_of_two(int exponent) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(127 + exponent) << 23);
  }
  /// Of the mantissa's last bit in a subnormal.
  static constexpr int kLeastExponent = 1 - static_cast<int>(kBias) - static_cast<int>(kMantissaBits);

  /// The number that a code stands for, exactly, the largest exponent taken as one like the others.
  static constexpr float to_float(std::uint32_t code) {
    const std::uint32_t sign = ((code >> (kExponentBits + kMantissaBits)) & 1U) << 31;
    const std::uint32_t exponent = (code >> kMantissaBits) & ((1U << kExponentBits) - 1);
    const std::uint32_t mantissa = code & ((1U << kMantissaBits) - 1);
    if (exponent != 0)
      return std::bit_cast<float>(sign | ((exponent + kRebias) << 23) | (mantissa << kDroppedBits));
    const float magnitude = static_cast<float>(mantissa) * power_of_two(kLeastExponent);
    return sign != 0 ? -magnitude : magnitude;
  }

  /// The code without sign of the number whose bits as a non-negative single are given: rounded to nearest,
  /// ties to even. What is too large for the format is the caller's to catch.
  static constexpr std::uint32_t rounded(std::uint32_t magnitude) {
    if (magnitude < (kRebias + 1) << 23) {
      // Adding a number whose last bit is worth as much as the least subnormal rounds to a multiple of that.
      const float shifted = std::bit_cast<float>(magnitude) + power_of_two(kLeastExponent + 23);
      return std::bit_cast<std::uint32_t>(shifted) & ((1U << (kMantissaBits + 1)) - 1);
    }
    const std::uint32_t half = (1U << (kDroppedBits - 1)) - 1;
    const std::uint32_t nearest = magnitude + half + ((magnitude >> kDroppedBits) & 1U);
    return (nearest >> kDroppedBits) - (kRebias << kMantissaBits);
  }
};

}  // namespace sparkmpi::kernels::inference
