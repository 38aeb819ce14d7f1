#include "kernels/inference/weight_hash.hpp"

#include <cstring>

namespace sparkmpi::kernels::inference {
namespace {

// Each word costs two multiplications of 64 bits: word by word that is as slow as the page cache, so loading
// would take twice as long as reading. Vectors make it a small part; the sum may be taken in any order.
[[gnu::always_inline]] inline std::uint64_t sum_of_words(const unsigned char* from, std::size_t words,
                                                         std::uint64_t plane, std::uint64_t first) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < words; ++i) {
    std::uint64_t word = 0;
    std::memcpy(&word, from + 8 * i, 8);
    sum += word_hash(word, plane, first + i);
  }
  return sum;
}

#ifdef __x86_64__
[[gnu::target("avx512f,avx512dq,avx512vl")]] std::uint64_t hash_avx512(const unsigned char* from,
                                                                       std::size_t words, std::uint64_t plane,
                                                                       std::uint64_t first) {
  return sum_of_words(from, words, plane, first);
}
[[gnu::target("avx2")]] std::uint64_t hash_avx2(const unsigned char* from, std::size_t words,
                                                std::uint64_t plane, std::uint64_t first) {
  return sum_of_words(from, words, plane, first);
}
#endif
std::uint64_t hash_portable(const unsigned char* from, std::size_t words, std::uint64_t plane,
                            std::uint64_t first) {
  return sum_of_words(from, words, plane, first);
}

using HashOfWords = std::uint64_t (*)(const unsigned char*, std::size_t, std::uint64_t, std::uint64_t);

HashOfWords fastest() {
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0) return hash_avx512;
  if (__builtin_cpu_supports("avx2") != 0) return hash_avx2;
#endif
  return hash_portable;
}

}  // namespace

std::uint64_t row_hash(const void* data, std::size_t bytes, std::uint64_t plane, std::uint64_t row) {
  static const HashOfWords hash_of_words = fastest();
  const auto* const from = static_cast<const unsigned char*>(data);
  const std::size_t words = bytes / 8, rest = bytes % 8;
  const std::uint64_t first = row * ((bytes + 7) / 8);
  std::uint64_t sum = hash_of_words(from, words, plane, first);
  if (rest > 0) {
    std::uint64_t word = 0;
    std::memcpy(&word, from + 8 * words, rest);
    sum += word_hash(word, plane, first + words);
  }
  return sum;
}

}  // namespace sparkmpi::kernels::inference
