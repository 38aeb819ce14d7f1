#pragma once
// The residual stream, one element a thread: 16 neighbouring lanes share a tile.

#include <cstddef>

#include "kernels/inference/cuda/linear/outputs.cuh"

namespace sparkmpi::kernels::inference::gpu {

/// residual[v, i] before a sum, read while its parts are still on their way.
__device__ inline float residual_before(const ResidualOutput& output, int hidden, int v, int i) {
  return i < hidden ? __ldcg(output.residual + static_cast<std::size_t>(v) * output.stride + i) : 0.0F;
}

/// residual[v, i] = before + value, and the first half of the next norm. All lanes of a warp call it; those
/// with i ≥ hidden have no element.
__device__ inline void add_to_residual(const ResidualOutput& output, int hidden, int v, int i, float before,
                                       float value) {
  const float sum = i < hidden ? before + value : 0.0F;
  const std::size_t index = static_cast<std::size_t>(v) * output.stride + i;
  if (i < hidden) output.residual[index] = sum;
  if (output.next_input == nullptr) return;
  if (i < hidden) output.next_input[index] = bf16_bits(sum * __ldg(output.next_norm + i));
  float squares = sum * sum;
#pragma unroll
  for (int distance = 1; distance < kTileRows; distance *= 2)
    squares += __shfl_xor_sync(0xffffffffU, squares, distance);
  if (i < hidden && i % kTileRows == 0) output.squares[v * square_count(hidden) + i / kTileRows] = squares;
}

}  // namespace sparkmpi::kernels::inference::gpu
