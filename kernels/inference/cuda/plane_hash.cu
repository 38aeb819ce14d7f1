#include <cuda_runtime.h>

#include <algorithm>

#include "kernels/inference/cuda/device.hpp"
#include "kernels/inference/cuda/plane_hash.hpp"
#include "kernels/inference/weight_hash.hpp"

namespace sparkmpi::kernels::inference::gpu {
namespace {

constexpr int kThreads = 256;
constexpr unsigned kAll = 0xffffffffU;
constexpr std::size_t kMostBlocks = 4096;

__global__ void __launch_bounds__(kThreads)
    plane_hash_kernel(const unsigned char* data, std::size_t bytes, std::uint64_t plane,
                      std::size_t first_row, std::size_t rows, unsigned long long* sum) {
  const std::size_t width = (bytes + 7) / 8, words = rows * width;
  const bool whole = bytes % 8 == 0;
  std::uint64_t mine = 0;
  for (std::size_t i = static_cast<std::size_t>(blockIdx.x) * kThreads + threadIdx.x; i < words;
       i += static_cast<std::size_t>(gridDim.x) * kThreads) {
    std::uint64_t word = 0;
    if (whole) {
      word = reinterpret_cast<const std::uint64_t*>(data)[i];
    } else {
      const std::size_t row = i / width, at = i % width * 8;
      for (std::size_t k = 0; k < 8 && at + k < bytes; ++k)
        word |= static_cast<std::uint64_t>(data[row * bytes + at + k]) << (8 * k);
    }
    mine += word_hash(word, plane, first_row * width + i);
  }
  for (int step = 16; step > 0; step /= 2) mine += __shfl_xor_sync(kAll, mine, step);
  // Whole numbers: the order of the additions does not matter.
  if (threadIdx.x % 32 == 0) atomicAdd(sum, static_cast<unsigned long long>(mine));
}

}  // namespace

void add_plane_hash(const void* data, std::size_t bytes, std::uint64_t plane, std::size_t first_row,
                    std::size_t rows, unsigned long long* sum, cudaStream_t stream) {
  if (bytes == 0 || rows == 0) return;
  const std::size_t words = rows * ((bytes + 7) / 8);
  const std::size_t blocks = std::min((words + kThreads - 1) / kThreads, kMostBlocks);
  plane_hash_kernel<<<static_cast<unsigned>(blocks), kThreads, 0, stream>>>(
      static_cast<const unsigned char*>(data), bytes, plane, first_row, rows, sum);
  check(cudaGetLastError(), "hash of the weights");
}

}  // namespace sparkmpi::kernels::inference::gpu
