#include <algorithm>

#include "kernels/device/cuda/check.hpp"
#include "kernels/stream/cuda/passes.hpp"
#include "kernels/stream/pattern.hpp"

namespace sparkmpi::kernels::stream {
namespace {

constexpr int kBlockThreads = 512;

/// 16 bytes, past the L1 cache: an SM that passes over its share again shall find it in L2 or in memory.
__device__ inline double2 load(const double2* from) {
  double2 value;
  asm volatile("ld.global.cg.v2.f64 {%0, %1}, [%2];" : "=d"(value.x), "=d"(value.y) : "l"(from));
  return value;
}

__device__ inline void store(double2* to, double2 value) {
  asm volatile("st.global.cg.v2.f64 [%0], {%1, %2};" ::"l"(to), "d"(value.x), "d"(value.y) : "memory");
}

/// a, b and c in vectors of 16 bytes; those that the operation lacks are null.
struct Vectors {
  double2* a;
  double2* b;
  double2* c;
  std::size_t count;  ///< of each
};

/// Loads that a thread has in flight at once: 16 bytes each, divided between the arrays read.
template <Operation operation>
constexpr int kUnrolled =
    operation == Operation::add || operation == Operation::triad || operation == Operation::dot ? 4 : 8;

/// What a thread does with its vectors of one tile, all loads before the first use.
/// @param count vectors before the end, from `at` on, each `kBlockThreads` after the one before.
template <Operation operation, bool whole>
__device__ inline void do_tile(const Vectors& v, std::size_t at, double2& sum) {
  constexpr int n = kUnrolled<operation>;
  double2 first[n], second[n];
  const double2* const first_from = operation == Operation::scale   ? v.c
                                    : operation == Operation::triad ? v.b
                                                                    : v.a;
  const double2* const second_from = operation == Operation::triad ? v.c : v.b;
  constexpr bool two =
      operation == Operation::add || operation == Operation::triad || operation == Operation::dot;
#pragma unroll
  for (int j = 0; j < n; ++j) {
    const std::size_t i = at + static_cast<std::size_t>(j) * kBlockThreads;
    if (!whole && i >= v.count) continue;
    if constexpr (operation != Operation::write) first[j] = load(first_from + i);
    if constexpr (two) second[j] = load(second_from + i);
  }
#pragma unroll
  for (int j = 0; j < n; ++j) {
    const std::size_t i = at + static_cast<std::size_t>(j) * kBlockThreads;
    if (!whole && i >= v.count) continue;
    if constexpr (operation == Operation::read) {
      sum.x += first[j].x;
      sum.y += first[j].y;
    } else if constexpr (operation == Operation::write) {
      store(v.a + i, make_double2(kScalar, kScalar));
    } else if constexpr (operation == Operation::copy) {
      store(v.c + i, first[j]);
    } else if constexpr (operation == Operation::scale) {
      store(v.b + i, make_double2(kScalar * first[j].x, kScalar * first[j].y));
    } else if constexpr (operation == Operation::add) {
      store(v.c + i, make_double2(first[j].x + second[j].x, first[j].y + second[j].y));
    } else if constexpr (operation == Operation::triad) {
      store(v.a + i, make_double2(first[j].x + kScalar * second[j].x, first[j].y + kScalar * second[j].y));
    } else {
      sum.x += first[j].x * second[j].x;
      sum.y += first[j].y * second[j].y;
    }
  }
}

/// Adds up a block's values; the result is thread 0's.
__device__ inline double block_sum(double value) {
  __shared__ double warps[kBlockThreads / 32];
  for (int step = 16; step > 0; step /= 2) value += __shfl_down_sync(0xffffffffU, value, step);
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = value;
  __syncthreads();
  double total = 0;
  if (threadIdx.x == 0) {
    for (const double warp : warps) total += warp;
  }
  return total;
}

/// `passes` times over all elements by a grid that stays: block by block in tiles that lie side by side, so
/// that the rows of the DRAM that are open get used up. A thread meets the same elements in every pass.
/// @param sums one for each block: of all passes.
template <Operation operation>
__global__ void __launch_bounds__(kBlockThreads) pass_over(Vectors v, int passes, double* sums) {
  constexpr std::size_t kTile = static_cast<std::size_t>(kBlockThreads) * kUnrolled<operation>;
  double2 sum = make_double2(0, 0);
  for (int pass = 0; pass < passes; ++pass) {
    for (std::size_t tile = blockIdx.x * kTile; tile < v.count; tile += gridDim.x * kTile) {
      if (tile + kTile <= v.count) {
        do_tile<operation, true>(v, tile + threadIdx.x, sum);
      } else {
        do_tile<operation, false>(v, tile + threadIdx.x, sum);
      }
    }
  }
  if constexpr (operation == Operation::read || operation == Operation::dot) {
    const double total = block_sum(sum.x + sum.y);
    if (threadIdx.x == 0) sums[blockIdx.x] = total;
  }
}

__global__ void fill(double* array, int which, std::size_t count) {
  const std::size_t step = static_cast<std::size_t>(gridDim.x) * blockDim.x;
  for (std::size_t i = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step)
    array[i] = initial(which, i);
}

/// The lowest index of a wrong element, `count` when there is none.
__global__ void find_wrong(const double* array, Operation operation, std::size_t count,
                           unsigned long long* lowest) {
  const std::size_t step = static_cast<std::size_t>(gridDim.x) * blockDim.x;
  for (std::size_t i = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count;
       i += step) {
    if (array[i] == expected(operation, i)) continue;
    atomicMin(lowest, static_cast<unsigned long long>(i));
    return;
  }
}

using Pass = void (*)(Vectors, int, double*);
Pass pass_of(Operation operation) {
  switch (operation) {
    case Operation::read:
      return pass_over<Operation::read>;
    case Operation::write:
      return pass_over<Operation::write>;
    case Operation::copy:
      return pass_over<Operation::copy>;
    case Operation::scale:
      return pass_over<Operation::scale>;
    case Operation::add:
      return pass_over<Operation::add>;
    case Operation::triad:
      return pass_over<Operation::triad>;
    case Operation::dot:
      break;
  }
  return pass_over<Operation::dot>;
}

/// Enough blocks for a simple loop over everything.
constexpr int kSimpleBlocks = 2048;

int attribute(cudaDeviceAttr name) {
  int device = 0, value = 0;
  cuda::check(cudaGetDevice(&device), "cudaGetDevice");
  cuda::check(cudaDeviceGetAttribute(&value, name, device), "cudaDeviceGetAttribute");
  return value;
}

}  // namespace

int resident_blocks(Operation operation) {
  int each = 0;
  cuda::check(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&each, pass_of(operation), kBlockThreads, 0),
              "cudaOccupancyMaxActiveBlocksPerMultiprocessor");
  return std::max(each, 1) * attribute(cudaDevAttrMultiProcessorCount);
}

void launch_passes(Operation operation, const ArrayView& arrays, int passes, int blocks, double* sums,
                   cudaStream_t stream) {
  const auto at = [](double* array) { return reinterpret_cast<double2*>(array); };
  const Vectors vectors = {at(arrays.a), at(arrays.b), at(arrays.c), arrays.elements / 2};
  pass_of(operation)<<<blocks, kBlockThreads, 0, stream>>>(vectors, passes, sums);
  cuda::check_launch("stream: pass");
}

void launch_fill(double* array, int which, std::size_t elements, cudaStream_t stream) {
  fill<<<kSimpleBlocks, kBlockThreads, 0, stream>>>(array, which, elements);
  cuda::check_launch("stream: fill");
}

void launch_find_wrong(const double* array, Operation operation, std::size_t elements,
                       unsigned long long* lowest, cudaStream_t stream) {
  find_wrong<<<kSimpleBlocks, kBlockThreads, 0, stream>>>(array, operation, elements, lowest);
  cuda::check_launch("stream: verify");
}

}  // namespace sparkmpi::kernels::stream
