#include <cuda_runtime.h>

#include <algorithm>

#include "kernels/inference/cuda/device.hpp"
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

/// Where the items (elements, groups, words of codes) of a part lie in the whole matrix, counted row by row.
struct Window {
  std::uint64_t first;               ///< number of the part's first item
  std::size_t rows, columns, pitch;  ///< items of a row in the part and in the whole matrix

  __host__ __device__ std::size_t count() const { return rows * columns; }
  __device__ std::uint64_t at(std::size_t item) const {
    return columns == pitch ? first + item : first + item / columns * pitch + item % columns;
  }
};

/// @param eights of elements.
__global__ void fill_bf16(SyntheticTensor tensor, Window eights, uint4* to) {
  for (std::size_t i = thread_index(); i < eights.count(); i += thread_count()) {
    const std::uint64_t first = eights.at(i) * 8;
    std::uint32_t pairs[4];
    for (unsigned k = 0; k < 4; ++k) {
      pairs[k] = tensor.element(first + 2 * k) | static_cast<std::uint32_t>(tensor.element(first + 2 * k + 1))
                                                     << 16;
    }
    to[i] = make_uint4(pairs[0], pairs[1], pairs[2], pairs[3]);
  }
}

__global__ void fill_fp8(SyntheticTensor tensor, Window elements, std::uint8_t* to) {
  for (std::size_t i = thread_index(); i < elements.count(); i += thread_count())
    to[i] = tensor.fp8_code(elements.at(i));
}

__global__ void fill_fp8_scales(SyntheticTensor tensor, std::uint64_t first_row, std::size_t rows,
                                float* to) {
  for (std::size_t i = thread_index(); i < rows; i += thread_count()) to[i] = tensor.fp8_scale(first_row + i);
}

/// @param words of sixteen codes each.
__global__ void fill_nibbles(SyntheticTensor tensor, Window words, std::uint64_t* to) {
  for (std::size_t i = thread_index(); i < words.count(); i += thread_count())
    to[i] = tensor.nibbles(words.at(i));
}

__global__ void fill_int4_scales(SyntheticTensor tensor, Window groups, std::uint16_t* to) {
  for (std::size_t i = thread_index(); i < groups.count(); i += thread_count())
    to[i] = tensor.int4_scale(groups.at(i));
}

/// Rows of ⌈groups/2⌉ bytes.
__global__ void fill_int4_zeros(SyntheticTensor tensor, Window groups, std::uint8_t* to) {
  const std::size_t bytes = (groups.columns + 1) / 2;
  for (std::size_t i = thread_index(); i < groups.rows * bytes; i += thread_count()) {
    const std::size_t row = i / bytes, group = i % bytes * 2;
    const std::uint64_t at = groups.at(row * groups.columns + group);
    const auto high = group + 1 < groups.columns ? static_cast<std::uint8_t>(tensor.int4_zero(at + 1) << 4)
                                                 : std::uint8_t{0};
    to[i] = tensor.int4_zero(at) | high;
  }
}

__global__ void fill_mxfp4_scales(SyntheticTensor tensor, Window groups, std::uint8_t* to) {
  for (std::size_t i = thread_index(); i < groups.count(); i += thread_count())
    to[i] = tensor.mxfp4_scale(groups.at(i));
}

template <class... Parameters, class... Arguments>
void fill(void (*kernel)(Parameters...), std::size_t items, cudaStream_t stream, Arguments... arguments) {
  const std::size_t blocks = std::clamp<std::size_t>((items + kThreads - 1) / kThreads, 1, kMostBlocks);
  kernel<<<static_cast<unsigned>(blocks), kThreads, 0, stream>>>(arguments...);
  check(cudaGetLastError(), "making synthetic weights");
}

}  // namespace

void synthesize(const SyntheticTensor& tensor, WeightFormat format, std::size_t columns,
                const MatrixPart& part, const Planes& planes, cudaStream_t stream) {
  const auto window = [&](std::size_t width) {
    return Window{(static_cast<std::uint64_t>(part.first_row) * columns + part.first_column) / width,
                  part.rows, part.columns / width, columns / width};
  };
  const std::size_t count = part.rows * part.columns, width = group_columns(format);
  switch (format) {
    case WeightFormat::bf16:
      return fill(fill_bf16, count / 8, stream, tensor, window(8), reinterpret_cast<uint4*>(planes.values));
    case WeightFormat::fp8_e4m3:
      fill(fill_fp8, count, stream, tensor, window(1), reinterpret_cast<std::uint8_t*>(planes.values));
      return fill(fill_fp8_scales, part.rows, stream, tensor, std::uint64_t{part.first_row}, part.rows,
                  reinterpret_cast<float*>(planes.scales));
    case WeightFormat::int4_awq:
      fill(fill_nibbles, count / 16, stream, tensor, window(16),
           reinterpret_cast<std::uint64_t*>(planes.values));
      fill(fill_int4_scales, count / width, stream, tensor, window(width),
           reinterpret_cast<std::uint16_t*>(planes.scales));
      return fill(fill_int4_zeros, count / width, stream, tensor, window(width),
                  reinterpret_cast<std::uint8_t*>(planes.zeros));
    case WeightFormat::mxfp4:
      fill(fill_nibbles, count / 16, stream, tensor, window(16),
           reinterpret_cast<std::uint64_t*>(planes.values));
      return fill(fill_mxfp4_scales, count / width, stream, tensor, window(width),
                  reinterpret_cast<std::uint8_t*>(planes.scales));
  }
}

}  // namespace sparkmpi::kernels::inference::gpu
