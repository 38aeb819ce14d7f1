#include "kernels/inference/synthetic.hpp"

#include <cmath>

namespace sparkmpi::kernels::inference {
namespace {

/// FNV-1a, 64 bit: tensors of different names must not share a stream.
std::uint64_t hash_of(std::string_view name) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return hash;
}

// Mean squares of the codes: of q - z for q uniform in [0, 15] and z 7 or 8 (the variance 255/12 and 1/4 for
// the distance from the mean); of E2M1's sixteen numbers.
constexpr double kInt4MeanSquare = 255.0 / 12 + 0.25;
constexpr double kE2m1MeanSquare = (0.25 + 1 + 2.25 + 4 + 9 + 16 + 36) / 8;

}  // namespace

SyntheticTensor::SyntheticTensor(std::uint64_t seed, std::string_view name, std::uint64_t fan_in, double gain)
    : key_(hash_of(name) ^ (seed * 0x9e3779b97f4a7c15ULL)),
      bound_(to_float(to_bf16(static_cast<float>(std::sqrt(3.0 / static_cast<double>(fan_in)) * gain)))),
      fp8_scale_(bound_ / kE4m3Largest) {
  const double deviation = gain / std::sqrt(static_cast<double>(fan_in));
  int4_scale_ = static_cast<float>(deviation / std::sqrt(kInt4MeanSquare));
  // 4^e·(1 + 3p) is the mean square of a scale that is 2^(e+1) with probability p and 2^e otherwise.
  const double wanted = deviation * deviation / kE2m1MeanSquare;
  const double exponent = std::floor(std::log2(wanted) / 2);
  mxfp4_scale_ = static_cast<std::uint32_t>(127 + exponent);
  mxfp4_upper_ = static_cast<std::uint32_t>(std::lround(256 * (wanted / std::exp2(2 * exponent) - 1) / 3));
}

}  // namespace sparkmpi::kernels::inference
