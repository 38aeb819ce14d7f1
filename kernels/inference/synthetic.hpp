#pragma once
// Weights out of nothing but a seed: the same bits on every device and with any number of threads.

#include <cstdint>
#include <string_view>

#include "kernels/inference/bf16.hpp"
#include "kernels/inference/weight_format.hpp"

namespace sparkmpi::kernels::inference {

/// A matrix's own stream of numbers, in any format. `index` counts elements in row-major order, `group` the
/// scales of weight_format.hpp in theirs: rows of fp8_e4m3, groups of 128 columns of int4_awq, of 32 of
/// mxfp4. Trivially copyable: kernels take it by value.
class SyntheticTensor {
 public:
  /// @param fan_in the row length. Elements have mean 0 and the variance gain²/fan_in in every format (within
  /// 1 %), so that a product with a vector of unit variance has variance gain². BF16 elements are uniform in
  /// ±√(3/fan_in)·gain; the bound is rounded to BF16 first, so that element() is one exact product and one
  /// rounding.
  SyntheticTensor(std::uint64_t seed, std::string_view name, std::uint64_t fan_in, double gain);

  constexpr Bf16 element(std::uint64_t index) const {
    return to_bf16(unit(static_cast<std::uint8_t>(hash(key_, index) >> 56)) * bound_);
  }

  /// Sixteen 4-bit codes, 16·k to 16·k + 15 from the lowest bits up: the values plane of int4_awq and mxfp4
  /// is these words one after the other, little-endian.
  constexpr std::uint64_t nibbles(std::uint64_t k) const { return hash(key_, k); }
  constexpr std::uint8_t nibble_code(std::uint64_t index) const {
    return static_cast<std::uint8_t>((nibbles(index / 16) >> (4 * (index % 16))) & 0xfU);
  }

  /// Eight codes, 8·k to 8·k + 7 from the lowest byte up: each byte of a word as the same uniform number that
  /// BF16 has, times 448.
  constexpr std::uint64_t fp8_codes(std::uint64_t k) const {
    const std::uint64_t bytes = hash(key_, k);
    std::uint64_t codes = 0;
    for (unsigned shift = 0; shift < 64; shift += 8)
      codes |= static_cast<std::uint64_t>(fp8_of(static_cast<std::uint8_t>(bytes >> shift))) << shift;
    return codes;
  }
  constexpr std::uint8_t fp8_code(std::uint64_t index) const {
    return fp8_of(static_cast<std::uint8_t>(hash(key_, index / 8) >> (8 * (index % 8))));
  }
  constexpr float fp8_scale(std::uint64_t row) const { return fp8_scale_ * spread(row); }

  /// Codes are uniform in [0, 15], zero points 7 or 8.
  constexpr std::uint16_t int4_scale(std::uint64_t group) const {
    return to_half(int4_scale_ * spread(group));
  }
  constexpr std::uint8_t int4_zero(std::uint64_t group) const {
    return static_cast<std::uint8_t>(7U + (group_hash(group) & 1U));
  }

  /// Two neighbouring powers of two, mixed so that the variance comes out.
  constexpr std::uint8_t mxfp4_scale(std::uint64_t group) const {
    return static_cast<std::uint8_t>(mxfp4_scale_ + ((group_hash(group) >> 56) < mxfp4_upper_ ? 1U : 0U));
  }

 private:
  /// SplitMix64's finaliser (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014)
  /// of the counter.
  static constexpr std::uint64_t hash(std::uint64_t key, std::uint64_t index) {
    std::uint64_t z = key + (index + 1) * 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  /// Scales and zero points have a stream of their own.
  constexpr std::uint64_t group_hash(std::uint64_t group) const {
    return hash(key_ ^ 0xd1b54a32d192ed03ULL, group);
  }
  /// An odd multiple of 1/256 in (-1, 1).
  static constexpr float unit(std::uint8_t byte) {
    return static_cast<float>(static_cast<std::int32_t>(byte) * 2 - 255) * (1.0F / 256.0F);
  }
  static constexpr std::uint8_t fp8_of(std::uint8_t byte) { return to_e4m3(unit(byte) * kE4m3Largest); }
  /// In (7/8, 9/8): scales differ, so that a mistaken one shows.
  constexpr float spread(std::uint64_t group) const {
    return 1.0F + unit(static_cast<std::uint8_t>(group_hash(group) >> 56)) * 0.125F;
  }

  std::uint64_t key_;
  float bound_, fp8_scale_, int4_scale_;
  std::uint32_t mxfp4_scale_;  ///< the lower power's E8M0 code
  std::uint32_t mxfp4_upper_;  ///< of 256 groups, how many have the upper one
};

}  // namespace sparkmpi::kernels::inference
