// Split-K attention of single tokens. One block takes a stretch of one sequence's context for the query heads
// of one KV head (up to eight), so that keys and values are read once for all of them.

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "kernels/inference/cuda/attention.cuh"
#include "kernels/inference/cuda/decode_stretch.cuh"
#include "kernels/inference/cuda/launch.cuh"

namespace sparkmpi::kernels::inference::gpu {
namespace {

constexpr int kThreads = kWarps * 32;
constexpr int kMostSplits = 64;

/// Heads of a group that lie in one block, and how many blocks a group takes.
int parts_of(int group) {
  return (group + kHeads - 1) / kHeads;
}

/// Merging costs as much time as a few tiles: short contexts are not split, longer ones into no less than two
/// tiles a warp.
__device__ int splits_worth_while(int tiles) {
  constexpr int kUnsplit = 4 * kWarps, kLeast = 2 * kWarps;
  return tiles <= kUnsplit ? 1 : (tiles + kLeast - 1) / kLeast;
}

struct Arguments {
  AttentionInput input;
  SplitWorkspace workspace;
  int parts;    ///< of a KV head's group
  float scale;  ///< of scores, with log2(e)
};

/// Rotates the block's queries into shared memory; unused heads and elements are zero.
template <class Element, int kWidth>
__device__ void rotate_queries(const AttentionInput& input, int token, int first_head, int heads,
                               std::uint16_t (*query)[kWidth + 8]) {
  const int pairs = input.head_dim / 2;
  const float* const row =
      input.qkv + static_cast<std::int64_t>(token) * input.stride + first_head * input.head_dim;
  const float2* const rotation = input.rotation + static_cast<std::int64_t>(token) * pairs;
  for (int i = threadIdx.x; i < kHeads * (kWidth / 2); i += kThreads) {
    const int head = i / (kWidth / 2), pair = i % (kWidth / 2);
    if (head < heads && pair < pairs) {
      const float first = row[head * input.head_dim + pair],
                  second = row[head * input.head_dim + pair + pairs];
      const float2 turn = rotation[pair];
      query[head][pair] = Element::operand(first * turn.x - second * turn.y);
      query[head][pair + pairs] = Element::operand(second * turn.x + first * turn.y);
    } else if (head >= heads) {
      query[head][pair] = query[head][pair + kWidth / 2] = 0;
    } else {
      query[head][pairs + pair] = query[head][pairs + pair + (kWidth / 2 - pairs)] = 0;
    }
  }
}

template <class Element, int kWidth>
__global__ void __launch_bounds__(kThreads, kWidth <= 128 ? 3 : 2)
    decode_attention_kernel(const __grid_constant__ Arguments a) {
  __shared__ alignas(16) std::uint16_t query[kHeads][kWidth + 8];
  __shared__ float warp_maximum[kWarps][kHeads], warp_total[kWarps][kHeads];
  __shared__ float warp_sums[kWarps][kHeads][kWidth];
  __shared__ float split_maximum[kMostSplits][kHeads], split_total[kMostSplits][kHeads];
  __shared__ bool last_to_arrive;

  const AttentionInput& input = a.input;
  const int token = blockIdx.z, kv_head = static_cast<int>(blockIdx.y) / a.parts;
  const int group = input.heads / input.kv.kv_heads, part = static_cast<int>(blockIdx.y) % a.parts;
  const int first_head = kv_head * group + part * kHeads, heads = min(kHeads, group - part * kHeads);

  // Before this kernel starts, all kernels but its predecessor, the projection, have ended (launch.cuh):
  // positions, tables and the keys and values of earlier steps are there.
  const int last = __ldcg(input.tokens.positions + token), row = __ldcg(input.tokens.rows + token);
  const int first = input.window > 0 ? max(0, last - input.window + 1) : 0;
  const int first_tile = first / kKvTile, last_tile = last / kKvTile, tiles = last_tile + 1 - first_tile;
  const int splits = min(static_cast<int>(gridDim.x), splits_worth_while(tiles)), split = blockIdx.x;
  const std::int32_t* const table =
      input.tokens.tables + static_cast<std::int64_t>(row) * input.tokens.table_stride;
  const int begin = first_tile + tiles * split / splits;
  const int end = split < splits ? first_tile + tiles * (split + 1) / splits : begin;
  const int warp = threadIdx.x / 32;
  Stretch<Element, kWidth> stretch(input.kv, table, kv_head);
  stretch.prefetch(begin + warp, end, last_tile);
  await_predecessor();
  release_successor();
  if (split >= splits) return;

  rotate_queries<Element, kWidth>(input, token, first_head, heads, query);
  // Blocks of the same KV head's other query heads write the same bits: each reads what it wrote itself.
  if (split == splits - 1)
    append_token<Element>(input, token, kv_head, table[last / input.kv.block_tokens],
                          last % input.kv.block_tokens);
  __syncthreads();

  stretch.load_queries(query);
  stretch.run(begin + warp, end, first, last, a.scale);
  stretch.leave(warp_maximum[warp], warp_total[warp], warp_sums[warp]);
  __syncthreads();

  const std::int64_t unit = static_cast<std::int64_t>(token) * gridDim.y + blockIdx.y;
  constexpr int kFloats = kHeads * (kWidth + 2);
  float* const mine = a.workspace.sums + (unit * gridDim.x + split) * kFloats;
  for (int i = threadIdx.x; i < heads * kWidth; i += kThreads) {
    const int head = i / kWidth, element = i % kWidth;
    float highest = -INFINITY;
    for (int w = 0; w < kWarps; ++w) highest = fmaxf(highest, warp_maximum[w][head]);
    if (splits == 1) highest = fmaxf(highest, sink_of(input, first_head + head));
    float sum = 0, total = 0;
    for (int w = 0; w < kWarps; ++w) {
      const float weight = exp2f(warp_maximum[w][head] - highest);
      sum += warp_sums[w][head][element] * weight;
      total += warp_total[w][head] * weight;
    }
    if (splits > 1) {
      mine[2 * kHeads + i] = sum;
      if (element == 0) {
        mine[head] = highest;
        mine[kHeads + head] = total;
      }
    } else if (element < input.head_dim) {
      total += exp2f(sink_of(input, first_head + head) - highest);
      input.out[static_cast<std::int64_t>(token) * input.out_stride + (first_head + head) * input.head_dim +
                element] = Bf16Element::store(sum / total);
    }
  }
  if (splits == 1) return;

  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    const unsigned before = atomicAdd(a.workspace.arrived + unit, 1U);
    last_to_arrive = before + 1 == static_cast<unsigned>(splits);
    if (last_to_arrive) a.workspace.arrived[unit] = 0;
  }
  __syncthreads();
  if (!last_to_arrive) return;
  __threadfence();
  const float* const all = a.workspace.sums + unit * gridDim.x * kFloats;
  for (int i = threadIdx.x; i < splits * kHeads; i += kThreads) {
    split_maximum[i / kHeads][i % kHeads] = __ldcg(all + i / kHeads * kFloats + i % kHeads);
    split_total[i / kHeads][i % kHeads] = __ldcg(all + i / kHeads * kFloats + kHeads + i % kHeads);
  }
  __syncthreads();
  for (int i = threadIdx.x; i < heads * kWidth; i += kThreads) {
    const int head = i / kWidth, element = i % kWidth;
    const float sink = sink_of(input, first_head + head);
    float highest = sink;
    for (int s = 0; s < splits; ++s) highest = fmaxf(highest, split_maximum[s][head]);
    float sum = 0, total = exp2f(sink - highest);
#pragma unroll 8
    for (int s = 0; s < splits; ++s) {
      const float weight = exp2f(split_maximum[s][head] - highest);
      sum += __ldcg(all + s * kFloats + 2 * kHeads + i) * weight;
      total += split_total[s][head] * weight;
    }
    if (element < input.head_dim)
      input.out[static_cast<std::int64_t>(token) * input.out_stride + (first_head + head) * input.head_dim +
                element] = Bf16Element::store(sum / total);
  }
}

template <class Element>
auto kernel_for(int width) {
  switch (width) {
    case 32:
      return decode_attention_kernel<Element, 32>;
    case 64:
      return decode_attention_kernel<Element, 64>;
    case 96:
      return decode_attention_kernel<Element, 96>;
    case 128:
      return decode_attention_kernel<Element, 128>;
    default:
      return decode_attention_kernel<Element, 256>;
  }
}

}  // namespace

int context_splits(int multiprocessors, int kv_heads, int group, int tokens) {
  constexpr int kBlocksEach = 3;
  return std::clamp(kBlocksEach * multiprocessors / (kv_heads * parts_of(group) * tokens), 1, kMostSplits);
}

std::size_t split_floats(int splits, int heads, int kv_heads, int width, int tokens) {
  const auto units =
      static_cast<std::size_t>(kv_heads) * parts_of(heads / kv_heads) * static_cast<std::size_t>(tokens);
  return units * static_cast<std::size_t>(splits) * kHeads * static_cast<std::size_t>(width + 2);
}

std::size_t split_counters(int heads, int kv_heads, int tokens) {
  return static_cast<std::size_t>(kv_heads) * parts_of(heads / kv_heads) * static_cast<std::size_t>(tokens);
}

void decode_attention(const AttentionInput& input, int count, int splits, const SplitWorkspace& workspace,
                      const Launch& launch_as) {
  const int parts = parts_of(input.heads / input.kv.kv_heads);
  const Arguments arguments{input, workspace, parts, kLog2E / std::sqrt(static_cast<float>(input.head_dim))};
  const auto kernel = input.kv.type == KvType::bf16 ? kernel_for<Bf16Element>(input.kv.width)
                                                    : kernel_for<Fp8Element>(input.kv.width);
  launch(kernel, dim3(splits, input.kv.kv_heads * parts, count), kThreads, 0, launch_as.stream,
         launch_as.programmatic, "decode attention", arguments);
}

}  // namespace sparkmpi::kernels::inference::gpu
