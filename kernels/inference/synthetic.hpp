#pragma once
// Weights out of nothing but a seed: the same bits on every device and with any number of threads.

#include <cstdint>
#include <string_view>

#include "kernels/inference/bf16.hpp"

namespace sparkmpi::kernels::inference {

/// A matrix's own stream of numbers.
class SyntheticTensor {
 public:
  /// @param fan_in the row length: elements are uniform in ±√(3/fan_in)·gain, so that a product with a vector
  /// of unit variance has variance gain². The bound is rounded to BF16 first, so that element() is one exact
  /// product and one rounding.
  SyntheticTensor(std::uint64_t seed, std::string_view name, std::uint64_t fan_in, double gain);

  /// Element `index` in row-major order. SplitMix64's finaliser (Steele, Lea, Flood: Fast splittable
  /// pseudorandom number generators, OOPSLA 2014) of the counter; its top 8 bits as an odd multiple of 1/256
  /// in (-1, 1).
  Bf16 element(std::uint64_t index) const {
    std::uint64_t z = key_ + (index + 1) * 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    z ^= z >> 31;
    const float unit = static_cast<float>(static_cast<std::int32_t>(z >> 56) * 2 - 255) * (1.0F / 256.0F);
    return to_bf16(unit * bound_);
  }

 private:
  std::uint64_t key_;
  float bound_;
};

}  // namespace sparkmpi::kernels::inference
