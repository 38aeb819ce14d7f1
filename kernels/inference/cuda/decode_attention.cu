// Split-K attention of single tokens. One block takes a stretch of one sequence's context for the query heads
// of one KV head (up to eight), so that keys and values are read once for all of them.
//
// A short context's time is all latency. So everything that does not depend on the projection is asked for
// before it is awaited (launch.cuh): the keys and values of earlier tokens, the rotation. The step's own key
// and value are put into the fragments from shared memory; the cache gets them on the side.

#include <algorithm>
#include <cmath>
#include <string>

#include "base/error.hpp"
#include "kernels/inference/cuda/attention.cuh"
#include "kernels/inference/cuda/decode_rows.cuh"
#include "kernels/inference/cuda/decode_stretch.cuh"
#include "kernels/inference/cuda/launch.cuh"

namespace sparkmpi::kernels::inference::gpu {
namespace {

constexpr int kMostSplits = 64;

/// Heads of a group that lie in one block, and how many blocks a group takes.
int parts_of(int group) {
  return (group + kHeads - 1) / kHeads;
}

/// Merging costs as much time as a few tiles: short contexts are not split, longer ones into no less than two
/// tiles a warp.
__device__ int splits_worth_while(int tiles, int warps) {
  const int unsplit = 4 * warps, least = 2 * warps;
  return tiles <= unsplit ? 1 : (tiles + least - 1) / least;
}

struct Arguments {
  AttentionInput input;
  SplitWorkspace workspace;
  int parts;    ///< of a KV head's group
  float scale;  ///< of scores, with log2(e)
};

/// What a block leaves of its part of a context, in floats: highest scores, totals, and sums in the order of
/// WarpResult.
template <int kWidth>
constexpr int kPartFloats = kHeads*(kWidth + 2);

/// Where a thread's pair of elements of a pair of heads goes.
template <int kWidth>
struct OutputPlace {
  int head, element;  ///< the first of each
  __device__ explicit OutputPlace(int i) : head(i / (kWidth / 2) * 2), element(i % (kWidth / 2) * 2) {}
};

/// @param first_head of the model, that head 0 of the block is.
template <int kWidth>
__device__ void write_output(const AttentionInput& input, int token, int first_head, int heads,
                             const OutputPlace<kWidth>& place, const float4& sums, float2 totals) {
  if (place.element >= input.head_dim) return;
  std::uint16_t* const out = input.out + static_cast<std::int64_t>(token) * input.out_stride +
                             (first_head + place.head) * input.head_dim + place.element;
  *reinterpret_cast<std::uint32_t*>(out) = Bf16Element::pair(sums.x / totals.x, sums.z / totals.x);
  if (place.head + 1 < heads)
    *reinterpret_cast<std::uint32_t*>(out + input.head_dim) =
        Bf16Element::pair(sums.y / totals.y, sums.w / totals.y);
}

__device__ void add(float4& sums, const float4& more, float2 weights) {
  sums.x += more.x * weights.x, sums.y += more.y * weights.y;
  sums.z += more.z * weights.x, sums.w += more.w * weights.y;
}

/// The parts of a context that blocks have left, in their order.
struct SplitMerge {
  float weights[kMostSplits][kHeads];
  float totals[kHeads];

  /// Each head's weights of the parts and total, a head a warp. @param all the parts.
  template <int kThreads, int kFloats>
  __device__ void weigh(const float* all, int splits, int heads, const float* sinks) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    for (int head = static_cast<int>(threadIdx.x) / 32; head < heads; head += kThreads / 32) {
      float maximum[kMostSplits / 32], total[kMostSplits / 32];
      float highest = sinks[head];
#pragma unroll
      for (int i = 0; i < kMostSplits / 32; ++i) {
        const int split = i * 32 + lane;
        maximum[i] = split < splits ? __ldcg(all + split * kFloats + head) : -INFINITY;
        total[i] = split < splits ? __ldcg(all + split * kFloats + kHeads + head) : 0.0F;
        highest = fmaxf(highest, maximum[i]);
      }
#pragma unroll
      for (int distance = 16; distance > 0; distance /= 2)
        highest = fmaxf(highest, __shfl_xor_sync(kAll, highest, distance));
      float sum = 0;
#pragma unroll
      for (int i = 0; i < kMostSplits / 32; ++i) {
        const float weight = exp2f(maximum[i] - highest);
        weights[i * 32 + lane][head] = weight;
        sum += total[i] * weight;
      }
#pragma unroll
      for (int distance = 16; distance > 0; distance /= 2) sum += __shfl_xor_sync(kAll, sum, distance);
      if (lane == 0) totals[head] = sum + exp2f(sinks[head] - highest);
    }
  }
};

template <class Element, int kWidth>
__global__ void __launch_bounds__(DecodeShape<Element, kWidth>::kThreads, kWidth <= 128 ? 2 : 1)
    decode_attention_kernel(const __grid_constant__ Arguments a) {
  using Shape = DecodeShape<Element, kWidth>;
  using Work = Stretch<Element, kWidth>;
  constexpr int kWarps = Shape::kWarps, kThreads = Shape::kThreads, kFloats = kPartFloats<kWidth>;
  extern __shared__ __align__(128) unsigned char rings[];
  __shared__ DecodeRows<Element, kWidth> rows;
  __shared__ float sinks[kHeads];
  __shared__ bool last_to_arrive;
  static_assert(sizeof(SplitMerge) <= kWarps * Shape::kRingBytes);

  const AttentionInput& input = a.input;
  const int token = blockIdx.y, kv_head = static_cast<int>(blockIdx.x) / a.parts;
  const int group = input.heads / input.kv.kv_heads, part = static_cast<int>(blockIdx.x) % a.parts;
  const int first_head = kv_head * group + part * kHeads, heads = min(kHeads, group - part * kHeads);

  // Before this kernel starts, all kernels up to the attention of the layer before have ended (launch.cuh):
  // positions, tables, rotations and the keys and values of earlier steps are there.
  const int own = __ldcg(input.tokens.positions + token), row = __ldcg(input.tokens.rows + token);
  const int first = input.window > 0 ? max(0, own - input.window + 1) : 0;
  const int first_tile = first / kKvTile, tiles = own / kKvTile + 1 - first_tile;
  const int splits = min(static_cast<int>(gridDim.z), splits_worth_while(tiles, kWarps)),
            split = static_cast<int>(blockIdx.z);
  if (split >= splits) return;  // others wait for the predecessor
  const std::int32_t* const table =
      input.tokens.tables + static_cast<std::int64_t>(row) * input.tokens.table_stride;
  const int begin = first_tile + tiles * split / splits, end = first_tile + tiles * (split + 1) / splits;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  Work work(input.kv, table, kv_head, own, rings + warp * Shape::kRingBytes);
  work.start(begin + warp, end);

  const bool has_own = split == splits - 1;
  RowRotation<Element, kWidth> rotation(input, {token, first_head, heads, kv_head, has_own});
  rotation.prepare(rows);
  if (threadIdx.x < kHeads)
    sinks[threadIdx.x] = static_cast<int>(threadIdx.x) < heads
                             ? sink_of(input, first_head + static_cast<int>(threadIdx.x))
                             : -INFINITY;
  // Of the blocks of a KV head's query heads one stores its key and value.
  typename Element::Stored *cached_key = nullptr, *cached_value = nullptr;
  if (has_own && part == 0) {
    const std::int64_t block = __ldcg(table + own / input.kv.block_tokens);
    cached_key = kv_at<Element>(input.kv.data, block, input.kv.kv_heads, kv_head, 0, input.kv.block_tokens,
                                own % input.kv.block_tokens, kWidth);
    cached_value = cached_key + input.kv.block_tokens * kWidth;
  }
  await_predecessor();
  release_successor();
  rotation.run(rows, cached_key, cached_value);
  __syncthreads();

  work.load_queries(rows.query);
  work.run(rows.key, rows.value, first, a.scale);
  work.leave_maxima(Work::of_warp(rings, warp));
  __syncthreads();
  work.leave_sums(rings, heads, splits == 1 ? sinks : nullptr);
  __syncthreads();

  const std::int64_t unit = static_cast<std::int64_t>(token) * gridDim.x + blockIdx.x;
  float* const parts = a.workspace.sums + unit * gridDim.z * kFloats;
  const int pairs = (heads + 1) / 2 * (kWidth / 2);
  for (int i = threadIdx.x; i < pairs; i += kThreads) {
    const OutputPlace<kWidth> place(i);
    float4 sums{};
    float2 totals{};
#pragma unroll
    for (int w = 0; w < kWarps; ++w) {
      const auto& result = Work::of_warp(rings, w);
      add(sums, result.sums[place.head / 2][place.element / 2], {1, 1});
      totals.x += result.total[place.head], totals.y += result.total[place.head + 1];
    }
    if (splits == 1) {
      write_output(input, token, first_head, heads, place, sums, totals);
    } else {
      float* const mine = parts + split * kFloats;
      reinterpret_cast<float4*>(mine + 2 * kHeads)[i] = sums;
      if (place.element == 0) {
        const auto& result = Work::of_warp(rings, 0);
        mine[place.head] = result.highest[place.head];
        mine[place.head + 1] = result.highest[place.head + 1];
        mine[kHeads + place.head] = totals.x;
        mine[kHeads + place.head + 1] = totals.y;
      }
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
  SplitMerge& merge = *reinterpret_cast<SplitMerge*>(rings);
  merge.weigh<kThreads, kFloats>(parts, splits, (heads + 1) / 2 * 2, sinks);
  __syncthreads();
  for (int i = threadIdx.x; i < pairs; i += kThreads) {
    const OutputPlace<kWidth> place(i);
    float4 sums{};
#pragma unroll 16
    for (int s = 0; s < splits; ++s)
      add(sums, __ldcg(reinterpret_cast<const float4*>(parts + s * kFloats + 2 * kHeads) + i),
          *reinterpret_cast<const float2*>(&merge.weights[s][place.head]));
    write_output(input, token, first_head, heads, place, sums,
                 *reinterpret_cast<const float2*>(&merge.totals[place.head]));
  }
}

template <class Element, int kWidth>
void launch_decode(const Arguments& arguments, int count, int splits, const Launch& as) {
  using Shape = DecodeShape<Element, kWidth>;
  constexpr int kBytes = Shape::kWarps * Shape::kRingBytes;
  // The first blocks of all contexts come first: those of short ones have no others.
  launch(decode_attention_kernel<Element, kWidth>,
         dim3(arguments.input.kv.kv_heads * arguments.parts, count, splits), Shape::kThreads, kBytes,
         as.stream, as.programmatic, "decode attention", arguments);
}

template <class Element>
void decode_of(const Arguments& arguments, int count, int splits, const Launch& as) {
  switch (arguments.input.kv.width) {
    case 32:
      return launch_decode<Element, 32>(arguments, count, splits, as);
    case 64:
      return launch_decode<Element, 64>(arguments, count, splits, as);
    case 96:
      return launch_decode<Element, 96>(arguments, count, splits, as);
    case 128:
      return launch_decode<Element, 128>(arguments, count, splits, as);
    default:
      return launch_decode<Element, 256>(arguments, count, splits, as);
  }
}

}  // namespace

int context_splits(int multiprocessors, int kv_heads, int group, int tokens) {
  constexpr int kBlocksEach = 2;
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
  if (input.head_dim % 4 != 0)
    throw UsageError("heads of " + std::to_string(input.head_dim) +
                     " elements; the GPU's attention takes multiples of 4");
  const Arguments arguments{input, workspace, parts_of(input.heads / input.kv.kv_heads),
                            kLog2E / std::sqrt(static_cast<float>(input.head_dim))};
  if (input.kv.type == KvType::bf16) return decode_of<Bf16Element>(arguments, count, splits, launch_as);
  decode_of<Fp8Element>(arguments, count, splits, launch_as);
}

}  // namespace sparkmpi::kernels::inference::gpu
