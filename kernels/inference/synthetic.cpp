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

}  // namespace

SyntheticTensor::SyntheticTensor(std::uint64_t seed, std::string_view name, std::uint64_t fan_in, double gain)
    : key_(hash_of(name) ^ (seed * 0x9e3779b97f4a7c15ULL)),
      bound_(to_float(to_bf16(static_cast<float>(std::sqrt(3.0 / static_cast<double>(fan_in)) * gain)))) {}

}  // namespace sparkmpi::kernels::inference
