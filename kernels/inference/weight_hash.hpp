#pragma once
// A fingerprint of weights that any number of threads, of a host or a GPU, can compute in any order: a sum
// over the 8-byte words of every row of every plane (weight_format.hpp), each mixed with its place.

#include <cstddef>
#include <cstdint>

namespace sparkmpi::kernels::inference {

/// SplitMix64's finaliser: every bit of the result depends on every bit of the argument.
constexpr std::uint64_t mix_bits(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

/// What one word adds to its tensor's hash: the counter of SplitMix64, with the word in it. @param plane 0
/// values, 1 scales, 2 zero points. @param index of the word in its plane, row by row, rows filled with zero
/// bytes to whole words.
constexpr std::uint64_t word_hash(std::uint64_t word, std::uint64_t plane, std::uint64_t index) {
  return mix_bits(word ^ ((index + 1) * 0x9e3779b97f4a7c15ULL + (plane << 62)));
}

/// What a row of `bytes` bytes adds to its tensor's hash.
std::uint64_t row_hash(const void* data, std::size_t bytes, std::uint64_t plane, std::uint64_t row);

/// The hash of a list of tensors, one more at a time, in the order of tensor_plan(). A vector is one row of
/// single precision.
constexpr std::uint64_t extend_hash(std::uint64_t hash, std::uint64_t tensor) {
  return mix_bits(hash * 0x100000001b3ULL + tensor);
}

}  // namespace sparkmpi::kernels::inference
