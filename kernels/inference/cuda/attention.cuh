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

}  // namespace sparkmpi::kernels::inference::gpu
