#pragma once
// One warp's share of a decoding sequence's context.
//
// Keys and values go from global memory straight into the fragments of mma.m16n8k16. For the scores, heads
// are the 16 rows (half of them empty), tokens the columns, and the order of the head's elements is free as
// long as queries follow the same: each lane loads eight neighbours. For the sums, the head's elements are
// the rows, tokens the depth and heads the columns: two tokens' elements are interleaved by byte
// permutations. The scores' layout is the one that the second product wants.

#include <cmath>
#include <cstdint>

#include "kernels/inference/cuda/kv_element.cuh"
#include "kernels/inference/cuda/kv_view.hpp"

namespace sparkmpi::kernels::inference::gpu {

inline constexpr int kWarps = 4;  ///< of a block
inline constexpr int kHeads = 8;  ///< query heads that a block takes, at most
inline constexpr unsigned kAll = 0xffffffffU;

template <class Element, int kWidth>
class Stretch {
 public:
  static constexpr int kChunks = kWidth / 32;      // of a key, 32 elements each
  static constexpr int kWide = kWidth / 64;        // of a value, 64 elements each
  static constexpr bool kTail = kWidth % 64 != 0;  // and one of 32
  static constexpr int kRows = kWidth / 16;        // fragments of the sums

  __device__ Stretch(const KvLayer& kv, const std::int32_t* table, int kv_head)
      : kv_(kv), table_(table), kv_head_(kv_head), lane_(threadIdx.x % 32) {}

  __device__ void load_queries(const std::uint16_t (*query)[kWidth + 8]) {
    const std::uint16_t* const row = query[lane_ / 4];
#pragma unroll
    for (int chunk = 0; chunk < kChunks; ++chunk) {
      const uint4 raw = *reinterpret_cast<const uint4*>(row + chunk * 32 + (lane_ % 4) * 8);
      queries_[chunk][0] = raw.x, queries_[chunk][1] = raw.y, queries_[chunk][2] = raw.z,
      queries_[chunk][3] = raw.w;
    }
  }

  /// Asks for the first tile, unless it is the one that the step's own token goes to.
  __device__ void prefetch(int tile, int end, int last_tile) {
    if (tile >= end) return;
    find(tile);
    if (tile == last_tile) return;
    load_keys();
    load_values();
    prefetched_ = true;
  }

  /// Tiles [tile, end), every kWarps-th, after prefetch(). @param first, last positions that are seen.
  __device__ void run(int tile, int end, int first, int last, float scale) {
    if (tile >= end) return;
    if (!prefetched_) {
      load_keys();
      load_values();
    }
    for (; tile < end; tile += kWarps) {
      const bool more = tile + kWarps < end;
      if (more) find(tile + kWarps);
      float scores[2][4] = {};
#pragma unroll
      for (int half = 0; half < 2; ++half) {
#pragma unroll
        for (int chunk = 0; chunk < kChunks; ++chunk) {
          std::uint32_t k[4];
          Element::expand(keys_[half][chunk], k);
          Element::multiply(scores[half], queries_[chunk][0], 0, queries_[chunk][1], 0, k[0], k[1]);
          Element::multiply(scores[half], queries_[chunk][2], 0, queries_[chunk][3], 0, k[2], k[3]);
        }
      }
      if (more) load_keys();
      soften(scores, tile * kKvTile, first, last, scale);
      accumulate(Element::pair(scores[0][0], scores[0][1]), Element::pair(scores[1][0], scores[1][1]));
      if (more) load_values();
    }
  }

  /// Leaves this warp's maximum, total and sums of each head.
  __device__ void leave(float* maximum, float* total, float (*sums)[kWidth]) {
    total_ += __shfl_xor_sync(kAll, total_, 1);
    total_ += __shfl_xor_sync(kAll, total_, 2);
    if (lane_ % 4 == 0) {
      maximum[lane_ / 4] = maximum_;
      total[lane_ / 4] = total_;
    }
    const int head = lane_ % 4 * 2;
#pragma unroll
    for (int row = 0; row < kRows; ++row) {
      const int element = element_of(row);
      sums[head][element] = sums_[row][0];
      sums[head + 1][element] = sums_[row][1];
      sums[head][element + 1] = sums_[row][2];
      sums[head + 1][element + 1] = sums_[row][3];
    }
  }

 private:
  /// The first of the two elements that a lane holds of fragment `row`.
  __device__ int element_of(int row) const {
    const int group = lane_ / 4;
    return row < kWide * 4 ? row / 4 * 64 + group * 8 + row % 4 * 2 : kWide * 64 + group * 4 + row % 4 * 2;
  }

  __device__ void find(int tile) {
    const int token = tile * kKvTile, block = token / kv_.block_tokens;
    next_ = kv_at<Element>(kv_.data, __ldcg(table_ + block), kv_.kv_heads, kv_head_, 0, kv_.block_tokens,
                           token - block * kv_.block_tokens, kWidth);
  }

  /// Past the first-level cache: nothing is read twice, and what an earlier kernel wrote is read before it is
  /// awaited.
  template <class Vector>
  __device__ static Vector fetch(const typename Element::Stored* from) {
    return __ldcg(reinterpret_cast<const Vector*>(from));
  }

  __device__ void load_keys() {
    const auto* const from = next_ + lane_ / 4 * kWidth + lane_ % 4 * 8;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
#pragma unroll
      for (int chunk = 0; chunk < kChunks; ++chunk)
        keys_[half][chunk] = fetch<typename Element::Eight>(from + half * 8 * kWidth + chunk * 32);
    }
  }

  __device__ void load_values() {
    const auto* const from = next_ + kv_.block_tokens * kWidth;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const auto* const token = from + (lane_ % 4 * 2 + i % 2 + i / 2 * 8) * kWidth;
#pragma unroll
      for (int chunk = 0; chunk < kWide; ++chunk)
        values_[chunk][i] = fetch<typename Element::Eight>(token + chunk * 64 + lane_ / 4 * 8);
      if constexpr (kTail) tail_[i] = fetch<typename Element::Four>(token + kWide * 64 + lane_ / 4 * 4);
    }
  }

  /// Scores become probabilities relative to the running maximum; sums follow when it rises.
  __device__ void soften(float scores[2][4], int position, int first, int last, float scale) {
    float highest = maximum_;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int at = position + i / 2 * 8 + lane_ % 4 * 2 + i % 2;
      float& score = scores[i / 2][i % 2];
      score = at >= first && at <= last ? score * scale : -INFINITY;
      highest = fmaxf(highest, score);
    }
    highest = fmaxf(highest, __shfl_xor_sync(kAll, highest, 1));
    highest = fmaxf(highest, __shfl_xor_sync(kAll, highest, 2));
    if (__any_sync(kAll, highest > maximum_)) {
      const float shrink = exp2f(maximum_ - highest);
      maximum_ = highest;
      total_ *= shrink;
      // Sums have heads as columns: two a lane.
      const float even = __shfl_sync(kAll, shrink, lane_ % 4 * 8),
                  odd = __shfl_sync(kAll, shrink, lane_ % 4 * 8 + 4);
#pragma unroll
      for (int row = 0; row < kRows; ++row) {
        sums_[row][0] *= even, sums_[row][2] *= even;
        sums_[row][1] *= odd, sums_[row][3] *= odd;
      }
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      float& score = scores[i / 2][i % 2];
      score = exp2f(score - maximum_);
      total_ += score;
    }
  }

  __device__ void accumulate(std::uint32_t p0, std::uint32_t p1) {
#pragma unroll
    for (int chunk = 0; chunk < kWide; ++chunk) {
      std::uint32_t v[4][4];
#pragma unroll
      for (int i = 0; i < 4; ++i) Element::expand(values_[chunk][i], v[i]);
#pragma unroll
      for (int row = 0; row < 4; ++row)
        add(sums_[chunk * 4 + row], v[0][row], v[1][row], v[2][row], v[3][row], p0, p1);
    }
    if constexpr (kTail) {
      std::uint32_t v[4][2];
#pragma unroll
      for (int i = 0; i < 4; ++i) Element::expand(tail_[i], v[i]);
#pragma unroll
      for (int row = 0; row < 2; ++row)
        add(sums_[kWide * 4 + row], v[0][row], v[1][row], v[2][row], v[3][row], p0, p1);
    }
  }
  __device__ static void add(float sums[4], std::uint32_t v0, std::uint32_t v1, std::uint32_t v2,
                             std::uint32_t v3, std::uint32_t p0, std::uint32_t p1) {
    Element::multiply(sums, low_halves(v0, v1), high_halves(v0, v1), low_halves(v2, v3), high_halves(v2, v3),
                      p0, p1);
  }

  const KvLayer& kv_;
  const std::int32_t* table_;
  int kv_head_, lane_;
  bool prefetched_ = false;
  const typename Element::Stored* next_ = nullptr;
  std::uint32_t queries_[kChunks][4];
  typename Element::Eight keys_[2][kChunks];
  typename Element::Eight values_[kWide > 0 ? kWide : 1][4];
  typename Element::Four tail_[kTail ? 4 : 1];
  float maximum_ = -INFINITY, total_ = 0;
  float sums_[kRows][4] = {};
};

}  // namespace sparkmpi::kernels::inference::gpu
