#include <algorithm>

#include "base/error.hpp"
#include "kernels/inference/cuda/launch.cuh"
#include "kernels/inference/cuda/linear/residual_element.cuh"
#include "kernels/inference/cuda/members/peer_kernels.hpp"

namespace sparkmpi::kernels::inference::gpu {
namespace {

constexpr int kThreads = 256;
constexpr int kManyValuesBlocks = 256;
constexpr int kPollsBetweenLooks = 4096;  // at the host's word, which lies across the bus

__device__ void send(std::uint64_t* to, std::uint64_t word) {
  asm volatile("st.relaxed.sys.global.u64 [%0], %1;" ::"l"(to), "l"(word) : "memory");
}
__device__ std::uint64_t peek(const std::uint64_t* from) {
  std::uint64_t word = 0;
  asm volatile("ld.relaxed.sys.global.u64 %0, [%1];" : "=l"(word) : "l"(from) : "memory");
  return word;
}

/// One sum over the members, as one thread sees it.
class Exchange {
 public:
  __device__ Exchange(const PeerBoxes& boxes, std::uint32_t number)
      : b_(boxes), number_(number), box_(number % 2 * boxes.members) {}

  __device__ void send_to_all(std::size_t index, float mine) const {
    const std::size_t here = (box_ + b_.rank) * b_.capacity + index;
#pragma unroll
    for (int member = 0; member < kMostPeers; ++member) {
      if (member < b_.members && member != b_.rank) send(b_.boxes[member] + here, word_of(mine));
    }
  }

  /// Waits for the others' values and adds all up, in the order of ranks.
  __device__ float receive(std::size_t index, float mine) const {
    const std::uint64_t* const received = b_.boxes[b_.rank] + box_ * b_.capacity + index;
    std::uint64_t words[kMostPeers];
    for (int polls = 0;; ++polls) {
      bool complete = true;
#pragma unroll
      for (int member = 0; member < kMostPeers; ++member) {
        if (member >= b_.members) continue;
        words[member] = member == b_.rank ? word_of(mine) : peek(received + member * b_.capacity);
        complete &= static_cast<std::uint32_t>(words[member] >> 32) == number_;
      }
      if (complete || (polls % kPollsBetweenLooks == kPollsBetweenLooks - 1 && *b_.abort != 0)) break;
    }
    float sum = __uint_as_float(static_cast<std::uint32_t>(words[0]));
#pragma unroll
    for (int member = 1; member < kMostPeers; ++member) {
      if (member < b_.members) sum += __uint_as_float(static_cast<std::uint32_t>(words[member]));
    }
    return sum;
  }

 private:
  __device__ std::uint64_t word_of(float value) const {
    return static_cast<std::uint64_t>(number_) << 32 | __float_as_uint(value);
  }
  const PeerBoxes& b_;
  std::uint32_t number_;
  std::size_t box_;
};

__device__ int block_index() {
  return static_cast<int>(blockIdx.y * gridDim.x + blockIdx.x);
}
/// Each block has a count of its own, so that none waits for the others: those of the blocks that this launch
/// does not have are kept by those that it has.
__device__ std::uint32_t number_of_sum(const PeerBoxes& boxes) {
  return __ldcg(boxes.numbers + block_index());
}
__device__ void count_sum(const PeerBoxes& boxes, std::uint32_t number) {
  const int blocks = static_cast<int>(gridDim.x * gridDim.y);
  __syncthreads();  // all threads have read it
  for (int i = block_index() + static_cast<int>(threadIdx.x) * blocks; i < kMostExchangeBlocks;
       i += kThreads * blocks)
    boxes.numbers[i] = number == 0xffffffffU ? 1 : number + 1;
}

/// Few tokens: a thread has one element, and does the first half of the next norm.
__global__ void __launch_bounds__(kThreads)
    exchange_and_norm_kernel(const __grid_constant__ PeerBoxes boxes, float* partial, int hidden,
                             ResidualOutput output) {
  await_predecessor();
  release_successor();
  const std::uint32_t number = number_of_sum(boxes);
  const int v = static_cast<int>(blockIdx.y), i = static_cast<int>(blockIdx.x * kThreads + threadIdx.x);
  const std::size_t index = static_cast<std::size_t>(v) * hidden + i;
  const float mine = i < hidden ? __ldcg(partial + index) : 0.0F;
  const float before = residual_before(output, hidden, v, i);
  const Exchange exchange(boxes, number);
  if (i < hidden) exchange.send_to_all(index, mine);
  count_sum(boxes, number);
  float sum = 0;
  if (i < hidden) {
    partial[index] = 0;
    sum = exchange.receive(index, mine);
  }
  __syncwarp();
  add_to_residual(output, hidden, v, i, before, sum);
}

/// Any number of values: each thread sends all of its own before it waits for the first. With an output they
/// are added to it and become zero.
__global__ void __launch_bounds__(kThreads)
    exchange_kernel(const __grid_constant__ PeerBoxes boxes, float* values, int count, float* output) {
  await_predecessor();
  release_successor();
  const std::uint32_t number = number_of_sum(boxes);
  const Exchange exchange(boxes, number);
  const int first = static_cast<int>(blockIdx.x * kThreads + threadIdx.x), step = gridDim.x * kThreads;
  for (int i = first; i < count; i += step) exchange.send_to_all(i, __ldcg(values + i));
  count_sum(boxes, number);
  for (int i = first; i < count; i += step) {
    const float sum = exchange.receive(i, __ldcg(values + i));
    values[i] = output == nullptr ? sum : 0;
    if (output != nullptr) output[i] = __ldcg(output + i) + sum;
  }
}

int blocks_for(int elements) {
  return (elements + kThreads - 1) / kThreads;
}

}  // namespace

void exchange_and_store(const PeerBoxes& boxes, float* values, int count, const Launch& as) {
  launch(exchange_kernel, dim3(std::min(blocks_for(count), kManyValuesBlocks)), kThreads, 0, as.stream,
         as.programmatic, "sum over the members", boxes, values, count, nullptr);
}

void exchange_and_add(const PeerBoxes& boxes, float* partial, int tokens, int hidden,
                      const ResidualOutput& output, const Launch& as) {
  if (output.next_input != nullptr) {
    if (blocks_for(hidden) * tokens > kMostExchangeBlocks)
      throw Error("a sum over the members with a norm is for a few tokens");
    launch(exchange_and_norm_kernel, dim3(blocks_for(hidden), tokens), kThreads, 0, as.stream,
           as.programmatic, "sum over the members", boxes, partial, hidden, output);
    return;
  }
  launch(exchange_kernel, dim3(std::min(blocks_for(tokens * hidden), kManyValuesBlocks)), kThreads, 0,
         as.stream, as.programmatic, "sum over the members", boxes, partial, tokens * hidden,
         output.residual);
}

}  // namespace sparkmpi::kernels::inference::gpu
