#pragma once
// One warp's share of a decoding sequence's context.
//
// Keys and values come through a ring in shared memory, in the order of the fragments of mma.m16n8k16: a lane
// copies what it will read itself, so it waits for nobody else. For the scores, heads are the 16 rows (half
// of them empty), tokens the columns, and the order of the head's elements is free as long as queries follow
// the same: each lane takes eight neighbours. For the sums, the head's elements are the rows, tokens the
// depth and heads the columns: two tokens' elements are interleaved by byte permutations. The scores' layout
// is the one that the second product wants.

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "kernels/inference/cuda/kv_element.cuh"
#include "kernels/inference/cuda/kv_view.hpp"
#include "kernels/inference/cuda/linear/async_copy.cuh"

namespace sparkmpi::kernels::inference::gpu {

inline constexpr int kHeads = 8;  ///< query heads that a block takes, at most
inline constexpr unsigned kAll = 0xffffffffU;

/// What a block of decode attention is made of. A slot of a warp's ring holds the keys or the values of a
/// tile. The rings leave room for another kernel's blocks on the multiprocessor.
template <class Element, int kWidth>
struct DecodeShape {
  static constexpr bool kLarge = kWidth * sizeof(typename Element::Stored) > 256;
  static constexpr int kWarps = kLarge ? 4 : 8, kSlots = kLarge ? 2 : 3;
  static constexpr int kThreads = kWarps * 32;
  static constexpr int kSlotBytes = kKvTile * kWidth * sizeof(typename Element::Stored);
  static constexpr int kRingBytes = kSlots * kSlotBytes;
};

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
  using Shape = DecodeShape<Element, kWidth>;
  using Result = WarpResult<kWidth>;
  using Stored = typename Element::Stored;
  using Eight = typename Element::Eight;
  using Four = typename Element::Four;
  static constexpr int kWarps = Shape::kWarps, kSlots = Shape::kSlots;
  static constexpr int kChunks = kWidth / 32;      // of a key, 32 elements each
  static constexpr int kWide = kWidth / 64;        // of a value, 64 elements each
  static constexpr bool kTail = kWidth % 64 != 0;  // and one of 32
  static constexpr int kRows = kWidth / 16;        // fragments of the sums
  static_assert(sizeof(Result) <= Shape::kRingBytes);

  /// @param own position of the step's own token: the cache holds those before it. @param ring of this warp.
  __device__ Stretch(const KvLayer& kv, const std::int32_t* table, int kv_head, int own, unsigned char* ring)
      : kv_(kv), table_(table), kv_head_(kv_head), own_(own), lane_(threadIdx.x % 32), ring_(ring) {}

  /// Tiles [tile, end), every kWarps-th: asks for as much of them as the ring holds, and where that leaves
  /// few, has the second-level cache ask for those.
  __device__ void start(int tile, int end) {
    first_ = tile;
    end_ = end;
    find(tile);
    request<0, 0>(0, 0);
    request<1, 0>(0, 1);
    if constexpr (kSlots == 3) request<2, 0>(0, 2);
    constexpr int kFew = 4;
    if (end - tile <= kFew * kWarps && tile + lane_ * kWarps < end) {
      if (2 * lane_ >= kSlots) prefetch(where_);
      if (2 * lane_ + 1 >= kSlots) prefetch(where_ + kv_.block_tokens * kWidth);
    }
  }

  __device__ void load_queries(const std::uint16_t (*query)[kWidth + 8]) {
    const std::uint16_t* const row = query[lane_ / 4];
#pragma unroll
    for (int chunk = 0; chunk < kChunks; ++chunk) {
      const uint4 raw = *reinterpret_cast<const uint4*>(row + chunk * 32 + (lane_ % 4) * 8);
      queries_[chunk][0] = raw.x, queries_[chunk][1] = raw.y, queries_[chunk][2] = raw.z,
      queries_[chunk][3] = raw.w;
    }
  }

  /// The tiles of start(). @param key, value the own token's, in shared memory. @param first position that is
  /// seen; the own one is the last.
  __device__ void run(const Stored* key, const Stored* value, int first, float scale) {
    int slot = 0, number = 0;
    for (int tile = first_; tile < end_; tile += kWarps, ++number) {
      wait_copies<kSlots - 1>();
      unsigned char* at = ring_ + slot * Shape::kSlotBytes;
      if (tile == own_ / kKvTile) place_key(key, at);
      float scores[2][2];
      score(at, scores);
      request<kSlots, 0>(number, slot);
      slot = after(slot);
      soften(scores, tile * kKvTile, first, scale);
      wait_copies<kSlots - 1>();
      at = ring_ + slot * Shape::kSlotBytes;
      if (tile == own_ / kKvTile) place_value(value, at);
      accumulate(at, Element::pair(scores[0][0], scores[0][1]), Element::pair(scores[1][0], scores[1][1]));
      request<kSlots, 1>(number, slot);
      slot = after(slot);
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
    for (int w = 0; w < kWarps; ++w) highest = fmaxf(highest, of_warp(block, w).maximum[own_head]);
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
  static __device__ int after(int slot) {
    return slot + 1 == kSlots ? 0 : slot + 1;
  }

  /// The pair of elements that a lane holds of fragment `row`.
  __device__ int pair_of(int row) const {
    const int group = lane_ / 4;
    return row < kWide * 4 ? row / 4 * 32 + group * 4 + row % 4 : kWide * 32 + group * 2 + row % 4;
  }
  /// The tile's token that a lane has as its i-th of the values and scores.
  __device__ int token_of(int i) const {
    return lane_ % 4 * 2 + i % 2 + i / 2 * 8;
  }

  /// Where this warp's 32 tiles from `tile` on lie, one a lane.
  __device__ void find(int tile) {
    tile += lane_ * kWarps;
    if (tile >= end_) return;
    const int token = tile * kKvTile, block = token / kv_.block_tokens;
    where_ = kv_at<Element>(kv_.data, __ldcg(table_ + block), kv_.kv_heads, kv_head_, 0, kv_.block_tokens,
                            token - block * kv_.block_tokens, kWidth);
  }

  /// Half a tile into the second-level cache. On devices without such a request the ring has to do.
  static __device__ void prefetch(const Stored* from) {
#if __CUDA_ARCH__ >= 900
    asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" ::"l"(from), "r"(Shape::kSlotBytes) : "memory");
#endif
  }

  /// Asks for the half tile that is kAhead after half kHalf (0 keys, 1 values) of the warp's tile `number`.
  template <int kAhead, int kHalf>
  __device__ void request(int number, int slot) {
    constexpr int kStep = (kAhead + kHalf) / 2;
    constexpr bool kKeys = (kAhead + kHalf) % 2 == 0;
    number += kStep;
    const int tile = first_ + number * kWarps;
    if (tile < end_) {
      if (kKeys && number > 0 && number % 32 == 0) find(tile);
      const auto* const from = reinterpret_cast<const Stored*>(
          __shfl_sync(kAll, reinterpret_cast<unsigned long long>(where_), number % 32));
      const std::uint32_t to = shared_address(ring_ + slot * Shape::kSlotBytes);
      const int older = own_ - tile * kKvTile;  // tokens of the tile that the cache holds, if below 16
      if constexpr (kKeys) {
        copy_keys(from, to, older);
      } else {
        copy_values(from + kv_.block_tokens * kWidth, to, older);
      }
    }
    commit_copies();
  }

  template <class Piece>
  static __device__ void copy(std::uint32_t to, const Stored* from, bool valid) {
    if constexpr (sizeof(Piece) == 16) {
      copy_16(to, from, valid);
    } else {
      copy_few<sizeof(Piece)>(to, from, valid);
    }
  }
  /// Bytes from a slot's begin to this lane's piece.
  template <class Piece>
  __device__ int piece(int index) const {
    return (index * 32 + lane_) * static_cast<int>(sizeof(Piece));
  }
  __device__ int key_piece(int half, int chunk) const {
    return piece<Eight>(half * kChunks + chunk);
  }
  __device__ int value_piece(int chunk, int i) const {
    return piece<Eight>(chunk * 4 + i);
  }
  __device__ int tail_piece(int i) const {
    return kWide * 128 * sizeof(Eight) + piece<Four>(i);
  }

  __device__ void copy_keys(const Stored* from, std::uint32_t to, int older) const {
    from += lane_ / 4 * kWidth + lane_ % 4 * 8;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const bool valid = half * 8 + lane_ / 4 < older;
#pragma unroll
      for (int chunk = 0; chunk < kChunks; ++chunk)
        copy<Eight>(to + key_piece(half, chunk), from + half * 8 * kWidth + chunk * 32, valid);
    }
  }

  __device__ void copy_values(const Stored* from, std::uint32_t to, int older) const {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const bool valid = token_of(i) < older;
      const Stored* const token = from + token_of(i) * kWidth;
#pragma unroll
      for (int chunk = 0; chunk < kWide; ++chunk)
        copy<Eight>(to + value_piece(chunk, i), token + chunk * 64 + lane_ / 4 * 8, valid);
      if constexpr (kTail) copy<Four>(to + tail_piece(i), token + kWide * 64 + lane_ / 4 * 4, valid);
    }
  }

  template <class Piece>
  static __device__ void move(unsigned char* to, const Stored* from) {
    *reinterpret_cast<Piece*>(to) = *reinterpret_cast<const Piece*>(from);
  }
  /// The own token's place in a slot, where zeros were copied to.
  __device__ void place_key(const Stored* key, unsigned char* slot) const {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      if (half * 8 + lane_ / 4 != own_ % kKvTile) continue;
#pragma unroll
      for (int chunk = 0; chunk < kChunks; ++chunk)
        move<Eight>(slot + key_piece(half, chunk), key + lane_ % 4 * 8 + chunk * 32);
    }
  }
  __device__ void place_value(const Stored* value, unsigned char* slot) const {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if (token_of(i) != own_ % kKvTile) continue;
#pragma unroll
      for (int chunk = 0; chunk < kWide; ++chunk)
        move<Eight>(slot + value_piece(chunk, i), value + chunk * 64 + lane_ / 4 * 8);
      if constexpr (kTail) move<Four>(slot + tail_piece(i), value + kWide * 64 + lane_ / 4 * 4);
    }
  }

  /// Scores of head lane / 4, tokens token_of().
  __device__ void score(const unsigned char* slot, float scores[2][2]) const {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float parts[2][4] = {};  // two, so that products need not wait for each other
#pragma unroll
      for (int chunk = 0; chunk < kChunks; ++chunk) {
        std::uint32_t k[4];
        Element::expand(*reinterpret_cast<const Eight*>(slot + key_piece(half, chunk)), k);
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
      const int at = position + token_of(i);
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

  __device__ void accumulate(const unsigned char* slot, std::uint32_t p0, std::uint32_t p1) {
#pragma unroll
    for (int chunk = 0; chunk < kWide; ++chunk) {
      std::uint32_t v[4][4];
#pragma unroll
      for (int i = 0; i < 4; ++i)
        Element::expand(*reinterpret_cast<const Eight*>(slot + value_piece(chunk, i)), v[i]);
#pragma unroll
      for (int row = 0; row < 4; ++row)
        add(sums_[chunk * 4 + row], v[0][row], v[1][row], v[2][row], v[3][row], p0, p1);
    }
    if constexpr (kTail) {
      std::uint32_t v[4][2];
#pragma unroll
      for (int i = 0; i < 4; ++i) Element::expand(*reinterpret_cast<const Four*>(slot + tail_piece(i)), v[i]);
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
  int kv_head_, own_, lane_;
  unsigned char* ring_;
  int first_ = 0, end_ = 0;  // tiles
  const Stored* where_ = nullptr;
  std::uint32_t queries_[kChunks][4];
  float maximum_ = -INFINITY, total_ = 0;
  float sums_[kRows][4] = {};
};

}  // namespace sparkmpi::kernels::inference::gpu
