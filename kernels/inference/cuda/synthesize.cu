#include <cuda_runtime.h>

#include <algorithm>

#include "kernels/inference/cuda/status.hpp"
#include "kernels/inference/cuda/synthesize.hpp"

namespace sparkmpi::kernels::inference::gpu {
namespace {

constexpr int kThreads = 256;
constexpr std::size_t kMostBlocks = 1 << 16;

__device__ std::size_t thread_index() {
  return static_cast<std::size_t>(blockIdx.x) * kThreads + threadIdx.x;
}
__device__ std::size_t thread_count() {
  return static_cast<std::size_t>(gridDim.x) * kThreads;
}

/// @param first index of the first element; @param count a multiple of 8.
__global__ void fill_bf16(SyntheticTensor tensor, std::uint64_t first, std::size_t count, uint4* to) {
  for (std::size_t i = thread_index(); i < count / 8; i += thread_count()) {
    std::uint32_t pairs[4];
    for (int k = 0; k < 4; ++k) {
      const std::uint64_t element = first + i * 8 + 2 * static_cast<std::uint64_t>(k);
      pairs[k] = tensor.element(element) | static_cast<std::uint32_t>(tensor.element(element + 1)) << 16;
    }
    to[i] = make_uint4(pairs[0], pairs[1], pairs[2], pairs[3]);
  }
}

__global__ void fill_fp8(SyntheticTensor tensor, std::uint64_t first, std::size_t count, std::uint8_t* to) {
  for (std::size_t i = thread_index(); i < count; i += thread_count()) to[i] = tensor.fp8_code(first + i);
}

__global__ void fill_fp8_scales(SyntheticTensor tensor, std::uint64_t first_row, std::size_t rows,
                                float* to) {
  for (std::size_t i = thread_index(); i < rows; i += thread_count()) to[i] = tensor.fp8_scale(first_row + i);
}

/// @param first of sixteen codes each.
__global__ void fill_nibbles(SyntheticTensor tensor, std::uint64_t first, std::size_t words,
                             std::uint64_t* to) {
  for (std::size_t i = thread_index(); i < words; i += thread_count()) to[i] = tensor.nibbles(first + i);
}

__global__ void fill_int4_scales(SyntheticTensor tensor, std::uint64_t first, std::size_t groups,
                                 std::uint16_t* to) {
  for (std::size_t i = thread_index(); i < groups; i += thread_count()) to[i] = tensor.int4_scale(first + i);
}

/// Rows of ⌈groups/2⌉ bytes. @param first_group of the first row.
__global__ void fill_int4_zeros(SyntheticTensor tensor, std::uint64_t first_group, std::size_t rows,
                                std::size_t groups, std::uint8_t* to) {
  const std::size_t bytes = (groups + 1) / 2;
  for (std::size_t i = thread_index(); i < rows * bytes; i += thread_count()) {
    const std::size_t row = i / bytes, group = i % bytes * 2;
    const std::uint64_t at = first_group + row * groups + group;
    const auto high =
        group + 1 < groups ? static_cast<std::uint8_t>(tensor.int4_zero(at + 1) << 4) : std::uint8_t{0};
    to[i] = tensor.int4_zero(at) | high;
  }
}

__global__ void fill_mxfp4_scales(SyntheticTensor tensor, std::uint64_t first, std::size_t groups,
                                  std::uint8_t* to) {
  for (std::size_t i = thread_index(); i < groups; i += thread_count()) to[i] = tensor.mxfp4_scale(first + i);
}

template <class... Parameters, class... Arguments>
void fill(void (*kernel)(Parameters...), std::size_t items, cudaStream_t stream, Arguments... arguments) {
  const std::size_t blocks = std::clamp<std::size_t>((items + kThreads - 1) / kThreads, 1, kMostBlocks);
  kernel<<<static_cast<unsigned>(blocks), kThreads, 0, stream>>>(arguments...);
  check(cudaGetLastError(), "making synthetic weights");
}

}  // namespace

void synthesize(const SyntheticTensor& tensor, WeightFormat format, std::size_t columns,
                std::size_t first_row, std::size_t rows, const Planes& planes, cudaStream_t stream) {
  const std::uint64_t first = static_cast<std::uint64_t>(first_row) * columns;
  const std::size_t count = rows * columns, width = group_columns(format);
  switch (format) {
    case WeightFormat::bf16:
      return fill(fill_bf16, count / 8, stream, tensor, first, count,
                  reinterpret_cast<uint4*>(planes.values));
    case WeightFormat::fp8_e4m3:
      fill(fill_fp8, count, stream, tensor, first, count, reinterpret_cast<std::uint8_t*>(planes.values));
      return fill(fill_fp8_scales, rows, stream, tensor, first_row, rows,
                  reinterpret_cast<float*>(planes.scales));
    case WeightFormat::int4_awq:
      fill(fill_nibbles, count / 16, stream, tensor, first / 16, count / 16,
           reinterpret_cast<std::uint64_t*>(planes.values));
      fill(fill_int4_scales, count / width, stream, tensor, first / width, count / width,
           reinterpret_cast<std::uint16_t*>(planes.scales));
      return fill(fill_int4_zeros, rows * (columns / width), stream, tensor, first / width, rows,
                  columns / width, reinterpret_cast<std::uint8_t*>(planes.zeros));
    case WeightFormat::mxfp4:
      fill(fill_nibbles, count / 16, stream, tensor, first / 16, count / 16,
           reinterpret_cast<std::uint64_t*>(planes.values));
      return fill(fill_mxfp4_scales, count / width, stream, tensor, first / width, count / width,
                  reinterpret_cast<std::uint8_t*>(planes.scales));
  }
}

}  // namespace sparkmpi::kernels::inference::gpu
