#pragma once
// The keys and values of one warp's share of a decoding sequence's context, on their way through a ring in
// shared memory, in the order of the fragments of mma.m16n8k16 (decode_stretch.cuh): a lane copies what it
// will read itself, so it waits for nobody else.

#include <cstdint>

#include "kernels/inference/cuda/kv_element.cuh"
#include "kernels/inference/cuda/kv_view.hpp"
#include "kernels/inference/cuda/linear/async_copy.cuh"

namespace sparkmpi::kernels::inference::gpu {

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

template <class Element, int kWidth>
class ContextRing {
 public:
  using Shape = DecodeShape<Element, kWidth>;
  using Stored = typename Element::Stored;
  using Eight = typename Element::Eight;
  using Four = typename Element::Four;
  static constexpr int kWarps = Shape::kWarps, kSlots = Shape::kSlots;
  static constexpr int kChunks = kWidth / 32;      // of a key, 32 elements each
  static constexpr int kWide = kWidth / 64;        // of a value, 64 elements each
  static constexpr bool kTail = kWidth % 64 != 0;  // and one of 32

  /// @param own position of the step's own token: the cache holds those before it. @param ring of this warp.
  __device__ ContextRing(const KvLayer& kv, const std::int32_t* table, int kv_head, int own,
                         unsigned char* ring)
      : kv_(kv), table_(table), kv_head_(kv_head), own_(own), lane_(threadIdx.x % 32), ring_(ring) {}

  /// Tiles [tile, end), every kWarps-th: asks for as much of them as the ring holds, and where that leaves
  /// few, has the second-level cache ask for those.
  __device__ void start(int tile, int end) {
    first_ = tile;
    end_ = end;
    find(tile);
    request<0>(0, 0);
    request<1>(0, 1);
    if constexpr (kSlots == 3) request<2>(0, 2);
    constexpr int kFew = 4;
    if (end - tile <= kFew * kWarps && tile + lane_ * kWarps < end) {
      if (2 * lane_ >= kSlots) prefetch(where_);
      if (2 * lane_ + 1 >= kSlots) prefetch(where_ + kv_.block_tokens * kWidth);
    }
  }

  /// Waits for the next keys or values, those of `tile`, with the own token's row (in shared memory) in its
  /// place.
  __device__ void await_keys(int tile, const Stored* own_row) {
    wait_copies<kSlots - 1>();
    if (tile == own_ / kKvTile) place_key(own_row, slot());
  }
  __device__ void await_values(int tile, const Stored* own_row) {
    wait_copies<kSlots - 1>();
    if (tile == own_ / kKvTile) place_value(own_row, slot());
  }
  /// A lane's pieces of what was awaited.
  __device__ const Eight& key(int half, int chunk) const {
    return *reinterpret_cast<const Eight*>(slot() + key_piece(half, chunk));
  }
  __device__ const Eight& value(int chunk, int i) const {
    return *reinterpret_cast<const Eight*>(slot() + value_piece(chunk, i));
  }
  __device__ const Four& value_tail(int i) const {
    return *reinterpret_cast<const Four*>(slot() + tail_piece(i));
  }
  /// The keys (kHalf 0) or values (1) of the warp's tile `number` have been read: asks for what their slot
  /// holds next.
  template <int kHalf>
  __device__ void pass(int number) {
    request<kSlots + kHalf>(number, at_);
    at_ = at_ + 1 == kSlots ? 0 : at_ + 1;
  }

  /// The tile's token that a lane has as its i-th of the values and scores.
  __device__ int token_of(int i) const { return lane_ % 4 * 2 + i % 2 + i / 2 * 8; }

 private:
  __device__ unsigned char* slot() const { return ring_ + at_ * Shape::kSlotBytes; }

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

  /// Asks for the half tile that is kAhead halves after the keys of the warp's tile `number`.
  template <int kAhead>
  __device__ void request(int number, int slot) {
    constexpr bool kKeys = kAhead % 2 == 0;
    number += kAhead / 2;
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

  const KvLayer& kv_;
  const std::int32_t* table_;
  int kv_head_, own_, lane_;
  unsigned char* ring_;
  int at_ = 0;               // the slot that is read
  int first_ = 0, end_ = 0;  // tiles
  const Stored* where_ = nullptr;
};

}  // namespace sparkmpi::kernels::inference::gpu
