#include <string>

#include "base/error.hpp"
#include "kernels/inference/cuda/launch.cuh"
#include "kernels/inference/cuda/linear/experts.hpp"

namespace sparkmpi::kernels::inference::gpu {
namespace {

constexpr int kRouteThreads = 256;  // eight warps, a token each
constexpr int kTokens = kRouteThreads / 32;
static_assert(kTokens == kMostVectors && kRouteThreads >= kMostExperts);
constexpr int kOfLane = kMostExperts / 32;

/// Numbers in the order of `value`, both zeros being one.
__device__ std::uint32_t ordered(float value) {
  const std::uint32_t bits = __float_as_uint(value + 0.0F);
  return (bits >> 31) != 0 ? ~bits : bits | 0x80000000U;
}

/// The warp's expert of the largest value, the lowest among equals.
__device__ int best_of_warp(float value, int expert) {
  constexpr std::uint32_t kAll = 0xffffffffU;
  const std::uint32_t mine = ordered(value), largest = __reduce_max_sync(kAll, mine);
  return static_cast<int>(
      __reduce_min_sync(kAll, static_cast<std::uint32_t>(mine == largest ? expert : INT32_MAX)));
}

struct Choice {
  int id = 0;
  float weight = 0;
};

/// One token by one warp. Lane k, below `chosen`, has its k-th choice.
__device__ Choice choose(const float* logits, int experts, RouterOrder order, int chosen) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  float mine[kOfLane];
#pragma unroll
  for (int i = 0; i < kOfLane; ++i) {
    const int expert = i * 32 + lane;
    // What is not a number counts as the least, so that the choice stays one of experts.
    mine[i] = expert < experts ? fmaxf(__ldcg(logits + expert), -INFINITY) : -INFINITY;
  }
  std::uint32_t taken = 0;  // bit i: expert i·32 + lane
  float largest = 0, total = 0;
  Choice choice;
#pragma unroll 1
  for (int k = 0; k < chosen; ++k) {
    float best = -INFINITY;
    int best_expert = INT32_MAX;
#pragma unroll
    for (int i = 0; i < kOfLane; ++i) {
      const int expert = i * 32 + lane;
      if (expert >= experts || ((taken >> i) & 1U) != 0) continue;
      if (mine[i] > best || best_expert == INT32_MAX) {
        best = mine[i];
        best_expert = expert;
      }
    }
    const int expert = best_of_warp(best, best_expert);
    best = __shfl_sync(0xffffffffU, best, expert % 32);
    if (expert % 32 == lane) taken |= 1U << (expert / 32);
    if (k == 0) largest = best;
    const float exponential = __expf(best - largest);
    total += exponential;
    if (lane == k) choice = {expert, exponential};
  }
  if (order == RouterOrder::softmax_then_top_k) {
    total = 0;
#pragma unroll
    for (int i = 0; i < kOfLane; ++i) total += __expf(mine[i] - largest);
#pragma unroll
    for (int distance = 1; distance < 32; distance *= 2)
      total += __shfl_xor_sync(0xffffffffU, total, distance);
  }
  choice.weight /= total;
  return choice;
}

__global__ void __launch_bounds__(kRouteThreads)
    route_tokens(const float* logits, int tokens, int experts, RouterOrder order, Routing routing) {
  await_predecessor();
  release_successor();
  const int thread = static_cast<int>(threadIdx.x), warp = thread / 32, lane = thread % 32;
  const int token = static_cast<int>(blockIdx.x) * kTokens + warp;
  if (token < tokens) {
    const Choice choice =
        choose(logits + static_cast<std::size_t>(token) * experts, experts, order, routing.chosen);
    if (lane < routing.chosen) {
      routing.ids[token * routing.chosen + lane] = choice.id;
      routing.weights[token * routing.chosen + lane] = choice.weight;
      if (tokens == 1) {  // its experts as they are: there is nothing to join
        if (lane == 0) routing.active[0] = routing.chosen;
        routing.active[1 + lane] = choice.id;
        slots_of(routing.active, lane)[0] = lane;
      }
    }
  }
  if (tokens > kTokens || tokens == 1) return;

  __shared__ signed char slots[kMostExperts][kTokens];
  __shared__ int of_warp[kTokens];
  for (int v = 0; v < kTokens; ++v) slots[thread][v] = -1;
  __syncthreads();
  if (thread < tokens) {
    for (int k = 0; k < routing.chosen; ++k)
      slots[routing.ids[thread * routing.chosen + k]][thread] = static_cast<signed char>(k);
  }
  __syncthreads();
  bool present = false;
  for (int v = 0; v < tokens; ++v) present = present || slots[thread][v] >= 0;
  const std::uint32_t in_warp = __ballot_sync(0xffffffffU, present);
  if (thread % 32 == 0) of_warp[warp] = __popc(in_warp);
  __syncthreads();
  int index = __popc(in_warp & ((1U << (thread % 32)) - 1)), count = 0;
  for (int w = 0; w < kTokens; ++w) {
    if (w < warp) index += of_warp[w];
    count += of_warp[w];
  }
  if (thread == 0) routing.active[0] = count;
  if (!present) return;
  routing.active[1 + index] = thread;
  for (int v = 0; v < kMostVectors; ++v) slots_of(routing.active, index)[v] = slots[thread][v];
}

/// One block, one thread an expert: pairs by expert in ascending order, the same every time.
__global__ void __launch_bounds__(kMostExperts)
    group_pairs(const std::int32_t* ids, int pairs, int experts, std::int32_t* groups) {
  await_predecessor();
  release_successor();
  constexpr int kChunk = 2048;
  __shared__ __align__(16) std::int32_t chunk[kChunk];
  __shared__ int first_of[kMostExperts + 1], first_list[kMostExperts + 1];
  const int expert = static_cast<int>(threadIdx.x);
  std::int32_t* const sorted = groups + experts + 1;
  std::int32_t* const list = sorted + pairs;
  int mine = 0;
  for (const bool counting : {true, false}) {
    int next = counting ? 0 : first_of[expert];
    for (int begin = 0; begin < pairs; begin += kChunk) {
      const int count = min(kChunk, pairs - begin);
      __syncthreads();
      for (int i = expert; i < kChunk; i += kMostExperts) chunk[i] = i < count ? __ldcg(ids + begin + i) : -1;
      __syncthreads();
      for (int i = 0; i < count; i += 4) {
        const int4 four = *reinterpret_cast<const int4*>(chunk + i);
        const int id[4] = {four.x, four.y, four.z, four.w};
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          if (id[j] != expert) continue;
          if (!counting) sorted[next] = begin + i + j;
          ++next;
        }
      }
    }
    if (!counting) break;
    mine = next;
    first_of[expert + 1] = mine;
    first_list[expert + 1] = (mine + kGroupPairs - 1) / kGroupPairs;
    __syncthreads();
    if (expert == 0) {
      first_of[0] = first_list[0] = 0;
      for (int e = 0; e < kMostExperts; ++e) {
        first_of[e + 1] += first_of[e];
        first_list[e + 1] += first_list[e];
      }
      list[0] = first_list[experts];
      groups[experts] = pairs;
    }
    __syncthreads();
  }
  if (expert >= experts) return;
  groups[expert] = first_of[expert];
  for (int i = 0; i * kGroupPairs < mine; ++i) {
    list[1 + 2 * (first_list[expert] + i)] = expert;
    list[2 + 2 * (first_list[expert] + i)] = first_of[expert] + i * kGroupPairs;
  }
}

}  // namespace

void ExpertProducts::route(const float* logits, int tokens, int experts, RouterOrder order,
                           const Routing& routing, const Launch& how) const {
  if (experts < 1 || experts > kMostExperts || routing.chosen < 1 ||
      routing.chosen > min(experts, kMostChosen)) {
    throw UsageError("routing to " + std::to_string(routing.chosen) + " of " + std::to_string(experts) +
                     " experts; the GPU's routing knows at most " + std::to_string(kMostChosen) + " of " +
                     std::to_string(kMostExperts));
  }
  const bool overlap = how.programmatic && products_.limits_.overlap;
  const auto blocks = static_cast<unsigned>((tokens + kTokens - 1) / kTokens);
  launch(route_tokens, blocks, kRouteThreads, 0, how.stream, overlap, "route", logits, tokens, experts, order,
         routing);
  if (tokens > kMostVectors)
    launch(group_pairs, 1, kMostExperts, 0, how.stream, overlap, "group_pairs", routing.ids,
           tokens * routing.chosen, experts, routing.groups);
}

}  // namespace sparkmpi::kernels::inference::gpu
