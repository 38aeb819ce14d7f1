#pragma once
// Expert products for many tokens: a block multiplies 128 rows of one expert with up to kGroupPairs of its
// pairs. Its warps have a tile of rows each, and share the pairs' vectors in shared memory; both come by
// cp.async.

#include "kernels/inference/cuda/launch.cuh"
#include "kernels/inference/cuda/linear/outputs.cuh"
#include "kernels/inference/cuda/linear/weight_stream.cuh"

namespace sparkmpi::kernels::inference::gpu {

inline constexpr int kGroupWarps = 8, kGroupStages = 3, kVectorGroups = kGroupPairs / 8;

/// y[pair, row] = W·x + bias: what is left is to weigh and add (combine).
struct PairOutput {
  float* y = nullptr;
  const float* bias = nullptr;
};

template <class Output>
struct GroupedArguments {
  Geometry geometry;  ///< of the first expert; experts null
  const float* row_scales = nullptr;
  VectorInput input;
  bool by_token = false;  ///< a pair's vector is its token's, else its own
  int chosen = 0, experts = 0, pairs = 0;
  const std::int32_t* groups = nullptr;
  Output output;
};

template <WeightFormat kFormat>
constexpr std::uint32_t group_vector_bytes() {
  return unit_columns(kFormat) * 2 + 64;
}
template <WeightFormat kFormat>
constexpr std::uint32_t group_shared_bytes() {
  return kGroupStages * (kGroupWarps * unit_bytes(kFormat) + kGroupPairs * group_vector_bytes<kFormat>());
}

__device__ inline void finish_pair(const PairOutput& output, int pair, int rows, int expert,
                                   const int (&row)[2], float lower, float upper, int) {
  const float value[2] = {lower, upper};
#pragma unroll
  for (int j = 0; j < 2; ++j) {
    if (row[j] >= rows) continue;
    const float bias =
        output.bias == nullptr ? 0.0F : output.bias[static_cast<std::size_t>(expert) * rows + row[j]];
    output.y[static_cast<std::size_t>(pair) * rows + row[j]] = value[j] + bias;
  }
}
__device__ inline void finish_pair(const GatedOutput& output, int pair, int rows, int expert,
                                   const int (&row)[2], float gate, float up, int element) {
  if (row[1] >= rows) return;
  if (output.bias != nullptr) {
    gate += output.bias[static_cast<std::size_t>(expert) * rows + row[0]];
    up += output.bias[static_cast<std::size_t>(expert) * rows + row[1]];
  }
  output.y[static_cast<std::size_t>(pair) * output.stride + element] =
      bf16_bits(activate(output.activation, gate, up));
}

template <WeightFormat kFormat, class Output>
__global__ void __launch_bounds__(kGroupWarps * 32)
    grouped_kernel(const __grid_constant__ GroupedArguments<Output> arguments) {
  extern __shared__ __align__(128) unsigned char shared[];
  __shared__ float norms[kGroupPairs];
  __shared__ std::int32_t pair_ids[kGroupPairs];
  await_predecessor();
  release_successor();
  const std::int32_t* const sorted = arguments.groups + arguments.experts + 1;
  const std::int32_t* const list = sorted + arguments.pairs;
  if (static_cast<int>(blockIdx.y) >= __ldcg(list)) return;
  const int expert = __ldcg(list + 1 + 2 * blockIdx.y), first = __ldcg(list + 2 + 2 * blockIdx.y);
  const int count = min(kGroupPairs, __ldcg(arguments.groups + expert + 1) - first);
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32;
  if (thread < kGroupPairs) pair_ids[thread] = thread < count ? __ldcg(sorted + first + thread) : -1;
  __syncthreads();
  const auto vector_row = [&](int pair) { return arguments.by_token ? pair / arguments.chosen : pair; };
  const VectorInput& input = arguments.input;
  for (int n = warp; n < kGroupPairs; n += kGroupWarps) {
    float sum = 0;
    if (input.squares != nullptr && n < count) {
      for (int i = lane; i < input.square_count; i += 32)
        sum += __ldcg(input.squares + static_cast<std::size_t>(vector_row(pair_ids[n])) * input.square_count +
                      i);
#pragma unroll
      for (int distance = 16; distance > 0; distance /= 2) sum += __shfl_xor_sync(0xffffffffU, sum, distance);
    }
    if (lane == 0)
      norms[n] = input.squares == nullptr
                     ? 1.0F
                     : rsqrtf(sum / static_cast<float>(arguments.geometry.columns) + input.eps);
  }

  Geometry geometry = arguments.geometry;
  geometry.data += static_cast<std::size_t>(expert) * geometry.expert_bytes;
  const int tile = static_cast<int>(blockIdx.x) * kGroupWarps + warp;
  unsigned char* const vectors = shared + kGroupStages * kGroupWarps * unit_bytes(kFormat);
  WeightStream<kFormat, 1, kGroupStages> stream(geometry, shared + warp * kGroupStages * unit_bytes(kFormat),
                                                0, lane);
  stream.set_items(tile, min(tile + 1, geometry.tiles));

  constexpr int kPieces = unit_columns(kFormat) / 8;
  constexpr int kVector = group_vector_bytes<kFormat>();
  const auto request = [&](int unit) {
    if (unit < geometry.units) {
      const std::uint32_t stage = shared_address(vectors + unit % kGroupStages * kGroupPairs * kVector);
      for (int i = thread; i < kGroupPairs * kPieces; i += kGroupWarps * 32) {
        const int n = i / kPieces, column = unit * unit_columns(kFormat) + i % kPieces * 8;
        const bool exists = n < count && column < geometry.columns;
        const std::uint16_t* const from =
            exists ? input.x + static_cast<std::size_t>(vector_row(pair_ids[n])) * input.stride + column
                   : input.x;
        copy_16(stage + n * kVector + i % kPieces * 16, from, exists);
      }
    }
    stream.request();
  };
#pragma unroll 1
  for (int unit = 0; unit < kGroupStages - 1; ++unit) request(unit);

  float sums[kVectorGroups][1][4] = {};
#pragma unroll 1
  for (int unit = 0; unit < geometry.units; ++unit) {
    wait_copies<kGroupStages - 2>();
    __syncthreads();
    request(unit + kGroupStages - 1);
    const unsigned char* const bytes = stream.take();
    const unsigned char* const x =
        vectors + unit % kGroupStages * kGroupPairs * kVector + lane / 4 * kVector + lane % 4 * 16;
    if (tile < geometry.tiles)
      multiply_unit<kFormat, kVectorGroups, false>(sums, bytes, x, 8 * kVector, lane);
  }
  if (tile >= geometry.tiles) return;

  const int g = lane / 4, t = lane % 4;
  const int row[2] = {logical_row(geometry.order, geometry.rows, tile, g),
                      logical_row(geometry.order, geometry.rows, tile, g + 8)};
  float scale[2] = {1, 1};
  if constexpr (kFormat == WeightFormat::fp8_e4m3) {
#pragma unroll
    for (int j = 0; j < 2; ++j) {
      if (row[j] < geometry.rows)
        scale[j] = __ldg(arguments.row_scales + static_cast<std::size_t>(expert) * geometry.rows + row[j]);
    }
  }
#pragma unroll
  for (int group = 0; group < kVectorGroups; ++group) {
#pragma unroll
    for (int j = 0; j < 2; ++j) {
      const int n = group * 8 + 2 * t + j;
      if (n >= count) continue;
      finish_pair(arguments.output, pair_ids[n], geometry.rows, expert, row,
                  sums[group][0][j] * scale[0] * norms[n], sums[group][0][2 + j] * scale[1] * norms[n],
                  tile * 8 + g);
    }
  }
}

}  // namespace sparkmpi::kernels::inference::gpu
