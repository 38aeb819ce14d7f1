#include "kernels/inference/cuda/launch.cuh"
#include "kernels/inference/cuda/members/peer_kernels.hpp"
#include "kernels/inference/cuda/members/residual_element.cuh"

namespace sparkmpi::kernels::inference::gpu {
namespace {

constexpr int kThreads = 256;
constexpr int kPollsBetweenLooks = 4096;  // at the host's word, which lies across the bus

__device__ void send(std::uint64_t* to, std::uint64_t word) {
  asm volatile("st.relaxed.sys.global.u64 [%0], %1;" ::"l"(to), "l"(word) : "memory");
}
__device__ std::uint64_t peek(const std::uint64_t* from) {
  std::uint64_t word = 0;
  asm volatile("ld.relaxed.sys.global.u64 %0, [%1];" : "=l"(word) : "l"(from) : "memory");
  return word;
}

/// The sum over the members of element `index` of sum `number`. Waits for the others' values.
__device__ float exchange(const PeerBoxes& b, std::uint32_t number, std::size_t index, float mine) {
  const std::size_t box = number % 2 * b.members;
  const std::uint64_t word = static_cast<std::uint64_t>(number) << 32 | __float_as_uint(mine);
  const std::size_t here = (box + b.rank) * b.capacity + index;
#pragma unroll
  for (int member = 0; member < kMostPeers; ++member) {
    if (member < b.members && member != b.rank) send(b.boxes[member] + here, word);
  }
  const std::uint64_t* const received = b.boxes[b.rank] + box * b.capacity + index;
  std::uint64_t words[kMostPeers];
  for (int polls = 0;; ++polls) {
    bool complete = true;
#pragma unroll
    for (int member = 0; member < kMostPeers; ++member) {
      if (member >= b.members) continue;
      words[member] = member == b.rank ? word : peek(received + member * b.capacity);
      complete &= static_cast<std::uint32_t>(words[member] >> 32) == number;
    }
    if (complete || (polls % kPollsBetweenLooks == kPollsBetweenLooks - 1 && *b.abort != 0)) break;
  }
  float sum = __uint_as_float(static_cast<std::uint32_t>(words[0]));
#pragma unroll
  for (int member = 1; member < kMostPeers; ++member) {
    if (member < b.members) sum += __uint_as_float(static_cast<std::uint32_t>(words[member]));
  }
  return sum;
}

/// The last block to end begins the next sum.
__device__ void end_block(PeerState* state, std::uint32_t number) {
  __syncthreads();
  if (threadIdx.x != 0) return;
  if (atomicAdd(&state->arrived, 1U) != gridDim.x * gridDim.y - 1) return;
  state->arrived = 0;
  state->number = number == 0xffffffffU ? 1 : number + 1;
}

template <bool kAdd>
__global__ void __launch_bounds__(kThreads)
    exchange_kernel(const __grid_constant__ PeerBoxes boxes, float* values, int elements,
                    ResidualOutput output) {
  await_predecessor();
  release_successor();
  const std::uint32_t number = __ldcg(&boxes.state->number);
  const int v = static_cast<int>(blockIdx.y), i = static_cast<int>(blockIdx.x * kThreads + threadIdx.x);
  const std::size_t index = static_cast<std::size_t>(v) * elements + i;
  float sum = 0;
  if (i < elements) {
    sum = exchange(boxes, number, index, __ldcg(values + index));
    values[index] = kAdd ? 0 : sum;
  }
  if constexpr (kAdd) {
    __syncwarp();
    add_to_residual(output, elements, v, i, sum);
  }
  end_block(boxes.state, number);
}

dim3 blocks_for(int elements, int rows) {
  return {static_cast<unsigned>((elements + kThreads - 1) / kThreads), static_cast<unsigned>(rows)};
}

}  // namespace

void exchange_and_store(const PeerBoxes& boxes, float* values, int count, const Launch& as) {
  launch(exchange_kernel<false>, blocks_for(count, 1), kThreads, 0, as.stream, as.programmatic,
         "sum over the members", boxes, values, count, ResidualOutput{});
}

void exchange_and_add(const PeerBoxes& boxes, float* partial, int tokens, int hidden,
                      const ResidualOutput& output, const Launch& as) {
  launch(exchange_kernel<true>, blocks_for(hidden, tokens), kThreads, 0, as.stream, as.programmatic,
         "sum over the members", boxes, partial, hidden, output);
}

}  // namespace sparkmpi::kernels::inference::gpu
