#pragma once
// What one warp does with a finished tile: 16 rows × 8 vectors, value j of lane l being row l / 8 + 4j of the
// tile and vector l % 8. One overload of finish() for each output of products.hpp.

#include <cuda_bf16.h>

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "kernels/inference/cuda/linear/experts.hpp"
#include "kernels/inference/cuda/linear/products.hpp"
#include "kernels/inference/cuda/linear/tile_layout.cuh"

namespace sparkmpi::kernels::inference::gpu {

/// Where a lane's four values belong.
struct TilePlace {
  int tile, vector;
  int first_within;  ///< row of the tile of value 0; value j is 4j further
  int tiles;
  int row[4];     ///< logical rows
  bool valid[4];  ///< row and vector exist
  int pair =
      -1;  ///< experts: the row of per-pair arrays, negative where the vector did not choose this expert
};
__device__ inline TilePlace tile_place(RowOrder order, int rows, int tile, int vectors, int lane) {
  TilePlace place{};
  place.tile = tile;
  place.vector = lane % 8;
  place.first_within = lane / 8;
  place.tiles = (rows + kTileRows - 1) / kTileRows;
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    place.row[j] = logical_row(order, rows, tile, lane / 8 + 4 * j);
    place.valid[j] = place.vector < vectors && place.row[j] < rows;
  }
  return place;
}

__device__ inline std::uint16_t bf16_bits(float value) {
  return __bfloat16_as_ushort(__float2bfloat16_rn(value));
}

__device__ inline float activate(Activation activation, float gate, float up) {
  switch (activation) {
    case Activation::silu:
      return gate / (1 + __expf(-gate)) * up;
    case Activation::gelu_tanh: {
      const float inner = 0.7978845608028654F * (gate + 0.044715F * gate * gate * gate);
      return 0.5F * gate * (1 + tanhf(inner)) * up;
    }
    case Activation::clamped_swiglu: {
      const float bounded = fminf(gate, 7.0F);
      return bounded / (1 + __expf(-1.702F * bounded)) * (fminf(fmaxf(up, -7.0F), 7.0F) + 1);
    }
  }
  return 0;
}

/// What a tile's end needs from memory, read when the tile is begun.
struct TileOperands {
  float bias[4] = {}, residual[4] = {};
};
template <class Output>
__device__ inline TileOperands read_operands(const Output& output, const TilePlace& place, int expert_rows) {
  TileOperands operands;
  if constexpr (!std::is_same_v<Output, ArgMaxOutput>) {
    if (output.bias != nullptr) {
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        if (place.valid[j]) operands.bias[j] = __ldg(output.bias + expert_rows + place.row[j]);
      }
    }
  }
  if constexpr (std::is_same_v<Output, ResidualOutput>) {
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      if (!place.valid[j]) continue;
      operands.residual[j] = __ldcg(output.residual + place.vector * output.stride + place.row[j]);
    }
  }
  return operands;
}

/// A block's best rows so far, one vector a lane.
struct RunningBest {
  float value = -INFINITY;
  std::int32_t row = INT32_MAX;
  __device__ void offer(float other, std::int32_t other_row) {
    if (other > value || (other == value && other_row < row)) {
      value = other;
      row = other_row;
    }
  }
  /// The best of the lanes of the same vector.
  __device__ void join_lanes() {
#pragma unroll
    for (int distance = 8; distance < 32; distance *= 2)
      offer(__shfl_xor_sync(0xffffffffU, value, distance), __shfl_xor_sync(0xffffffffU, row, distance));
  }
};

__device__ inline void finish(const StoreOutput& output, const TilePlace& place, const float (&values)[4],
                              const TileOperands& operands, RunningBest&) {
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    if (place.valid[j])
      output.y[static_cast<std::size_t>(place.vector) * output.stride + place.row[j]] =
          values[j] + operands.bias[j];
  }
}

__device__ inline void finish(const ResidualOutput& output, const TilePlace& place, const float (&values)[4],
                              const TileOperands& operands, RunningBest&) {
  float squares = 0;
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    if (!place.valid[j]) continue;
    const std::size_t index = static_cast<std::size_t>(place.vector) * output.stride + place.row[j];
    const float sum = operands.residual[j] + (values[j] + operands.bias[j]);
    output.residual[index] = sum;
    if (output.next_input != nullptr)
      output.next_input[index] = bf16_bits(sum * __ldg(output.next_norm + place.row[j]));
    squares += sum * sum;
  }
  if (output.next_input == nullptr) return;
  squares += __shfl_xor_sync(0xffffffffU, squares, 8);
  squares += __shfl_xor_sync(0xffffffffU, squares, 16);
  if (place.first_within == 0 && place.valid[0])
    output.squares[place.vector * place.tiles + place.tile] = squares;
}

__device__ inline void finish(const GatedOutput& output, const TilePlace& place, const float (&values)[4],
                              const TileOperands& operands, RunningBest&) {
#pragma unroll
  for (int j = 0; j < 2; ++j) {
    if (!place.valid[j] || place.pair < 0) continue;
    const float gate = values[j] + operands.bias[j], up = values[j + 2] + operands.bias[j + 2];
    // The tile's eight outputs are neighbours in both row orders.
    const int element = place.tile * 8 + place.first_within + 4 * j;
    output.y[static_cast<std::size_t>(place.pair) * output.stride + element] =
        bf16_bits(activate(output.activation, gate, up));
  }
}

__device__ inline void finish(const ArgMaxOutput& output, const TilePlace& place, const float (&values)[4],
                              const TileOperands&, RunningBest& best) {
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    if (!place.valid[j]) continue;
    if (output.logits != nullptr)
      output.logits[static_cast<std::size_t>(place.vector) * output.stride + place.row[j]] = values[j];
    best.offer(values[j], place.row[j]);
  }
}

}  // namespace sparkmpi::kernels::inference::gpu
