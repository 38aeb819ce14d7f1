#pragma once
// The rows of the step's own token that a block of decode attention needs: its queries, and where the context
// ends in the block the KV head's key and value.

#include <cstdint>

#include "kernels/inference/cuda/attention.hpp"
#include "kernels/inference/cuda/decode_stretch.cuh"

namespace sparkmpi::kernels::inference::gpu {

/// Rows in shared memory, as the products take them.
template <class Element, int kWidth>
struct DecodeRows {
  alignas(16) std::uint16_t query[kHeads][kWidth + 8];
  alignas(16) typename Element::Stored key[kWidth];
  alignas(16) typename Element::Stored value[kWidth];
};

/// Which rows. Heads are the model's.
struct RowChoice {
  int token, first_head, heads;  ///< queries
  int kv_head;
  bool own;  ///< key and value as well
};

/// A thread takes two neighbouring elements and their partners half a head later, of a row or more.
template <class Element, int kWidth>
class RowRotation {
 public:
  __device__ RowRotation(const AttentionInput& input, const RowChoice& rows) : input_(input), rows_(rows) {}

  /// What does not wait for the projection: sines and cosines, zeros where no row has an element.
  __device__ void prepare(DecodeRows<Element, kWidth>& to) {
    const float2* const rotation =
        input_.rotation + static_cast<std::int64_t>(rows_.token) * (input_.head_dim / 2);
#pragma unroll
    for (int round = 0; round < kRounds; ++round) {
      if (valid(round)) turns_[round] = __ldcg(reinterpret_cast<const float4*>(rotation + column(round) * 2));
    }
    for (int i = threadIdx.x; i < kHeads * kWidth / 2; i += kThreads) {
      const int row = i / (kWidth / 2), element = i % (kWidth / 2) * 2;
      if (row >= rows_.heads || element >= input_.head_dim)
        *reinterpret_cast<std::uint32_t*>(&to.query[row][element]) = 0;
    }
    for (int i = input_.head_dim + static_cast<int>(threadIdx.x); i < kWidth; i += kThreads)
      to.key[i] = to.value[i] = 0;
  }

  /// @param cached_key, cached_value where the cache keeps the own token; null: it does not need it from
  /// here.
  __device__ void run(DecodeRows<Element, kWidth>& to, typename Element::Stored* cached_key,
                      typename Element::Stored* cached_value) const {
    const int half = input_.head_dim / 2;
    float2 lower[kRounds], upper[kRounds];
#pragma unroll
    for (int round = 0; round < kRounds; ++round) {
      if (!valid(round)) continue;
      const float* const from = source(row(round)) + column(round) * 2;
      lower[round] = __ldcg(reinterpret_cast<const float2*>(from));
      upper[round] = __ldcg(reinterpret_cast<const float2*>(from + half));
    }
#pragma unroll
    for (int round = 0; round < kRounds; ++round) {
      if (!valid(round)) continue;
      const int at = column(round) * 2;
      if (row(round) < rows_.heads) {
        turn(lower[round], upper[round], turns_[round]);
        std::uint16_t* const query = to.query[row(round)] + at;
        *reinterpret_cast<std::uint32_t*>(query) = Element::pair(lower[round].x, lower[round].y);
        *reinterpret_cast<std::uint32_t*>(query + half) = Element::pair(upper[round].x, upper[round].y);
      } else if (row(round) == rows_.heads) {
        turn(lower[round], upper[round], turns_[round]);
        keep(lower[round], upper[round], at, to.key, cached_key);
      } else {
        keep(lower[round], upper[round], at, to.value, cached_value);
      }
    }
  }

 private:
  using Two = typename Element::Two;
  static constexpr int kThreads = DecodeShape<Element, kWidth>::kThreads;
  static constexpr int kColumns = kWidth / 4;
  static constexpr int kRounds = ((kHeads + 2) * kColumns + kThreads - 1) / kThreads;

  __device__ int row(int round) const {
    return (static_cast<int>(threadIdx.x) + round * kThreads) / kColumns;
  }
  __device__ int column(int round) const {
    return (static_cast<int>(threadIdx.x) + round * kThreads) % kColumns;
  }
  __device__ bool valid(int round) const {
    return row(round) < rows_.heads + (rows_.own ? 2 : 0) && column(round) < input_.head_dim / 4;
  }
  __device__ const float* source(int row) const {
    const int of_key = input_.heads + rows_.kv_head;
    const int head = row < rows_.heads    ? rows_.first_head + row
                     : row == rows_.heads ? of_key
                                          : of_key + input_.kv.kv_heads;
    return input_.qkv + static_cast<std::int64_t>(rows_.token) * input_.stride + head * input_.head_dim;
  }
  static __device__ void turn(float2& lower, float2& upper, const float4& by) {
    const float2 low = lower, high = upper;
    lower = {low.x * by.x - high.x * by.y, low.y * by.z - high.y * by.w};
    upper = {high.x * by.x + low.x * by.y, high.y * by.z + low.y * by.w};
  }
  __device__ void keep(float2 lower, float2 upper, int at, typename Element::Stored* to,
                       typename Element::Stored* cached) const {
    const int half = input_.head_dim / 2;
    const Two low = Element::store(lower.x, lower.y), high = Element::store(upper.x, upper.y);
    *reinterpret_cast<Two*>(to + at) = low;
    *reinterpret_cast<Two*>(to + at + half) = high;
    if (cached == nullptr) return;
    *reinterpret_cast<Two*>(cached + at) = low;
    *reinterpret_cast<Two*>(cached + at + half) = high;
  }

  const AttentionInput& input_;
  RowChoice rows_;
  float4 turns_[kRounds];
};

}  // namespace sparkmpi::kernels::inference::gpu
