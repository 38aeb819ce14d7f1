#pragma once
// What decode and prefill attention share on the device.

#include "kernels/inference/cuda/attention.hpp"
#include "kernels/inference/cuda/kv_element.cuh"

namespace sparkmpi::kernels::inference::gpu {

inline constexpr float kLog2E = 1.442695040888963F;

/// A head's sink on the scale of the scores.
__device__ inline float sink_of(const AttentionInput& input, int head) {
  return input.sinks == nullptr ? -INFINITY : input.sinks[head] * kLog2E;
}

/// The token's own key and value into the cache.
template <class Element>
__device__ inline void append_token(const AttentionInput& input, int token, int kv_head, std::int64_t block,
                                    int within) {
  const KvLayer& kv = input.kv;
  const int pairs = input.head_dim / 2;
  const float* const key =
      input.qkv + static_cast<std::int64_t>(token) * input.stride + (input.heads + kv_head) * input.head_dim;
  const float* const value = key + kv.kv_heads * input.head_dim;
  const float2* const rotation = input.rotation + static_cast<std::int64_t>(token) * pairs;
  auto* const keys =
      kv_at<Element>(kv.data, block, kv.kv_heads, kv_head, 0, kv.block_tokens, within, kv.width);
  auto* const values =
      kv_at<Element>(kv.data, block, kv.kv_heads, kv_head, 1, kv.block_tokens, within, kv.width);
  for (int i = threadIdx.x; i < pairs; i += blockDim.x) {
    const float first = key[i], second = key[i + pairs];
    const float2 turn = rotation[i];
    keys[i] = Element::store(first * turn.x - second * turn.y);
    keys[i + pairs] = Element::store(second * turn.x + first * turn.y);
    values[i] = Element::store(value[i]);
    values[i + pairs] = Element::store(value[i + pairs]);
  }
}

}  // namespace sparkmpi::kernels::inference::gpu
