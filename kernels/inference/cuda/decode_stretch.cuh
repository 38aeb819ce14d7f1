#pragma once
// One warp's share of a decoding sequence's context.
//
// For the scores, heads are the 16 rows of mma.m16n8k16 (half of them empty), tokens the columns, and the
// order of the head's elements is free as long as queries follow the same: each lane takes eight neighbours.
// For the sums, the head's elements are the rows, tokens the depth and heads the columns: two tokens'
// elements are interleaved by byte permutations. The scores' layout is the one that the second product wants.

#include <cmath>
#include <cstdint>

#include "kernels/inference/cuda/decode_ring.cuh"

namespace sparkmpi::kernels::inference::gpu {

inline constexpr int kHeads = 8;  ///< query heads that a block takes, at most

/// What a warp leaves for its block, in the place of its ring.
template <int kWidth>
struct WarpResult {
  float4 sums[kHeads / 2][kWidth / 2 + 1];  ///< [pair of heads][pair of elements]: x, y the first element of
                                            ///< both heads, z, w the second
  float maximum[kHeads];                    ///< of this warp
  float highest[kHeads];                    ///< of all warps, …
  float total[kHeads];                      ///< … which totals and sums are relative to
};

template <class Element, int kWidth>
class Stretch {
 public:
  using Ring = ContextRing<Element, kWidth>;
  using Shape = DecodeShape<Element, kWidth>;
  using Result = WarpResult<kWidth>;
  using Stored = typename Element::Stored;
  static constexpr int kRows = kWidth / 16;  // fragments of the sums
  static_assert(sizeof(Result) <= Shape::kRingBytes);

  /// @param own position of the step's own token: the cache holds those before it. @param ring of this warp.
  __device__ Stretch(const KvLayer& kv, const std::int32_t* table, int kv_head, int own, unsigned char* ring)
      : ring_(kv, table, kv_head, own, ring), own_(own), lane_(threadIdx.x % 32) {}

  /// Takes tiles [tile, end), every Shape::kWarps-th, and asks for the first of them.
  __device__ void start(int tile, int end) {
    first_ = tile;
    end_ = end;
    ring_.start(tile, end);
  }

  __device__ void load_queries(const std::uint16_t (*query)[kWidth + 8]) {
    const std::uint16_t* const row = query[lane_ / 4];
#pragma unroll
    for (int chunk = 0; chunk < Ring::kChunks; ++chunk) {
      const uint4 raw = *reinterpret_cast<const uint4*>(row + chunk * 32 + (lane_ % 4) * 8);
      queries_[chunk][0] = raw.x, queries_[chunk][1] = raw.y, queries_[chunk][2] = raw.z,
      queries_[chunk][3] = raw.w;
    }
  }

  /// The tiles of start(). @param key, value the own token's, in shared memory. @param first position that is
  /// seen; the own one is the last.
  __device__ void run(const Stored* key, const Stored* value, int first, float scale) {
    int number = 0;
    for (int tile = first_; tile < end_; tile += Shape::kWarps, ++number) {
      ring_.await_keys(tile, key);
      float scores[2][2];
      score(scores);
      ring_.template pass<0>(number);
      soften(scores, tile * kKvTile, first, scale);
      ring_.await_values(tile, value);
      accumulate(Element::pair(scores[0][0], scores[0][1]), Element::pair(scores[1][0], scores[1][1]));
      ring_.template pass<1>(number);
    }
  }

  /// After run(): this warp's maxima. The block has to meet between this and leave_sums().
  __device__ void leave_maxima(Result& result) const {
    __syncwarp();
    if (lane_ % 4 == 0) result.maximum[lane_ / 4] = maximum_;
  }

  /// Leaves totals and sums of `heads` heads, relative to all warps' highest score.
  /// @param block the block's rings. @param sinks [kHeads] that join the totals,
  /// or null.
  __device__ void leave_sums(unsigned char* block, int heads, const float* sinks) {
    const int warp = threadIdx.x / 32, own_head = lane_ / 4;
    const float sink = sinks == nullptr ? -INFINITY : sinks[own_head];
    float highest = sink;
#pragma unroll
    for (int w = 0; w < Shape::kWarps; ++w) highest = fmaxf(highest, of_warp(block, w).maximum[own_head]);
    const float weight = exp2f(maximum_ - highest);
    const float even = __shfl_sync(kAll, weight, lane_ % 4 * 8),
                odd = __shfl_sync(kAll, weight, lane_ % 4 * 8 + 4);
    total_ += __shfl_xor_sync(kAll, total_, 1);
    total_ += __shfl_xor_sync(kAll, total_, 2);
    Result& result = of_warp(block, warp);
    if (lane_ % 4 == 0) {
      result.highest[own_head] = highest;
      result.total[own_head] = total_ * weight + (warp == 0 ? exp2f(sink - highest) : 0.0F);
    }
    if (lane_ % 4 * 2 >= heads) return;
#pragma unroll
    for (int row = 0; row < kRows; ++row)
      result.sums[lane_ % 4][pair_of(row)] =
          make_float4(sums_[row][0] * even, sums_[row][1] * odd, sums_[row][2] * even, sums_[row][3] * odd);
  }

  static __device__ Result& of_warp(unsigned char* block, int warp) {
    return *reinterpret_cast<Result*>(block + warp * Shape::kRingBytes);
  }

 private:
  /// The pair of elements that a lane holds of fragment `row`.
  __device__ int pair_of(int row) const {
    const int group = lane_ / 4;
    return row < Ring::kWide * 4 ? row / 4 * 32 + group * 4 + row % 4
                                 : Ring::kWide * 32 + group * 2 + row % 4;
  }
  /// Scores of head lane / 4, tokens token_of().
  __device__ void score(float scores[2][2]) const {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float parts[2][4] = {};  // two, so that products need not wait for each other
#pragma unroll
      for (int chunk = 0; chunk < Ring::kChunks; ++chunk) {
        std::uint32_t k[4];
        Element::expand(ring_.key(half, chunk), k);
        Element::multiply(parts[0], queries_[chunk][0], 0, queries_[chunk][1], 0, k[0], k[1]);
        Element::multiply(parts[1], queries_[chunk][2], 0, queries_[chunk][3], 0, k[2], k[3]);
      }
      scores[half][0] = parts[0][0] + parts[1][0];
      scores[half][1] = parts[0][1] + parts[1][1];
    }
  }

  /// Scores become probabilities relative to the running maximum; sums follow when it rises.
  __device__ void soften(float scores[2][2], int position, int first, float scale) {
    float highest = maximum_;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int at = position + ring_.token_of(i);
      float& score = scores[i / 2][i % 2];
      score = at >= first && at <= own_ ? score * scale : -INFINITY;
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
    for (int chunk = 0; chunk < Ring::kWide; ++chunk) {
      std::uint32_t v[4][4];
#pragma unroll
      for (int i = 0; i < 4; ++i) Element::expand(ring_.value(chunk, i), v[i]);
#pragma unroll
      for (int row = 0; row < 4; ++row)
        add(sums_[chunk * 4 + row], v[0][row], v[1][row], v[2][row], v[3][row], p0, p1);
    }
    if constexpr (Ring::kTail) {
      std::uint32_t v[4][2];
#pragma unroll
      for (int i = 0; i < 4; ++i) Element::expand(ring_.value_tail(i), v[i]);
#pragma unroll
      for (int row = 0; row < 2; ++row)
        add(sums_[Ring::kWide * 4 + row], v[0][row], v[1][row], v[2][row], v[3][row], p0, p1);
    }
  }
  __device__ static void add(float sums[4], std::uint32_t v0, std::uint32_t v1, std::uint32_t v2,
                             std::uint32_t v3, std::uint32_t p0, std::uint32_t p1) {
    Element::multiply(sums, low_halves(v0, v1), high_halves(v0, v1), low_halves(v2, v3), high_halves(v2, v3),
                      p0, p1);
  }

  Ring ring_;
  int own_, lane_;
  int first_ = 0, end_ = 0;  // tiles
  std::uint32_t queries_[Ring::kChunks][4];
  float maximum_ = -INFINITY, total_ = 0;
  float sums_[kRows][4] = {};
};

}  // namespace sparkmpi::kernels::inference::gpu
