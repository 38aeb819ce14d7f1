#include "kernels/inference/cuda/launch.cuh"
#include "kernels/inference/cuda/linear/residual_element.cuh"
#include "kernels/inference/cuda/members/member_layers.hpp"

namespace sparkmpi::kernels::inference::gpu {
namespace {

constexpr int kThreads = 256;

dim3 blocks_for(int items, int rows = 1) {
  return {static_cast<unsigned>((items + kThreads - 1) / kThreads), static_cast<unsigned>(rows)};
}

__global__ void __launch_bounds__(kThreads) add_sums_kernel(float* sums, int hidden, ResidualOutput output) {
  await_predecessor();
  release_successor();
  const int v = static_cast<int>(blockIdx.y), i = static_cast<int>(blockIdx.x * kThreads + threadIdx.x);
  float value = 0;
  if (i < hidden) {
    float* const place = sums + static_cast<std::size_t>(v) * hidden + i;
    value = __ldcg(place);
    *place = 0;
  }
  add_to_residual(output, hidden, v, i, residual_before(output, hidden, v, i), value);
}

__global__ void offer_best_kernel(const std::int32_t* best, const float* logits, int stride, int slices,
                                  VocabularyPart part, float2* slots) {
  await_predecessor();
  release_successor();
  const int i = static_cast<int>(blockIdx.x * kThreads + threadIdx.x);
  if (i >= part.members * slices) return;
  float2 slot{0, 0};
  if (i / slices == part.member) {
    const int slice = i % slices;
    const std::int32_t row = __ldcg(best + slice);
    slot.x = __ldcg(logits + static_cast<std::size_t>(slice) * stride + row);
    slot.y = static_cast<float>(part.first_row + row);
  }
  slots[i] = slot;
}

__global__ void choose_best_kernel(const float2* slots, int members, int slices, std::int32_t* next) {
  await_predecessor();
  release_successor();
  const int slice = static_cast<int>(blockIdx.x * kThreads + threadIdx.x);
  if (slice >= slices) return;
  // Members hold ascending ids: only a greater logit wins.
  float2 best = __ldcg(slots + slice);
  for (int member = 1; member < members; ++member) {
    const float2 other = __ldcg(slots + member * slices + slice);
    if (other.x > best.x) best = other;
  }
  next[slice] = static_cast<std::int32_t>(best.y);
}

}  // namespace

void add_sums(float* sums, int tokens, int hidden, const ResidualOutput& output, const Launch& as) {
  launch(add_sums_kernel, blocks_for(hidden, tokens), kThreads, 0, as.stream, as.programmatic, "adding sums",
         sums, hidden, output);
}

void offer_best(const std::int32_t* best, const float* logits, int stride, int slices,
                const VocabularyPart& part, float2* slots, const Launch& as) {
  launch(offer_best_kernel, blocks_for(part.members * slices), kThreads, 0, as.stream, as.programmatic,
         "arg-max of a member", best, logits, stride, slices, part, slots);
}

void choose_best(const float2* slots, int members, int slices, std::int32_t* next, const Launch& as) {
  launch(choose_best_kernel, blocks_for(slices), kThreads, 0, as.stream, as.programmatic,
         "arg-max over the members", slots, members, slices, next);
}

}  // namespace sparkmpi::kernels::inference::gpu
