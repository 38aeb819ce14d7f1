#pragma once
// What benchmarks of the GPU's kernels share: memory with numbers in it, and the time of a CUDA graph.

#include <cuda_runtime.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "kernels/inference/cuda/device.hpp"
#include "kernels/inference/cuda/linear/experts.hpp"

namespace sparkmpi::bench {

using kernels::inference::WeightFormat;
using kernels::inference::gpu::check;
using kernels::inference::gpu::DeviceMatrix;
using kernels::inference::gpu::ExpertMatrices;
using kernels::inference::gpu::RowOrder;

/// Random bits with the exponents of BF16 numbers near 1/64 and of half scales near 1; no byte is an FP8 NaN.
__global__ inline void fill(std::uint32_t* words, std::size_t count) {
  for (std::size_t i = blockIdx.x * std::size_t{blockDim.x} + threadIdx.x; i < count;
       i += gridDim.x * std::size_t{blockDim.x}) {
    std::uint64_t z = (i + 1) * 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    words[i] = (static_cast<std::uint32_t>(z >> 32) & 0x83bf83bfU) | 0x3c003c00U;
  }
}

/// Weights and caches one after the other through the memory, from its begin again when it is used up.
class Pool {
 public:
  explicit Pool(std::size_t bytes) : bytes_(bytes) {
    check(cudaMalloc(&data_, bytes), "cudaMalloc");
    fill<<<1024, 256>>>(static_cast<std::uint32_t*>(data_), bytes / 4);
    check(cudaDeviceSynchronize(), "fill");
  }
  ~Pool() { static_cast<void>(cudaFree(data_)); }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  void* take(std::size_t bytes) {
    bytes = (bytes + 255) / 256 * 256;
    if (used_ + bytes > bytes_) used_ = 0;
    void* const at = static_cast<std::byte*>(data_) + used_;
    used_ += bytes;
    return at;
  }
  DeviceMatrix matrix(WeightFormat format, RowOrder order, int rows, int columns) {
    DeviceMatrix matrix{format, order, rows, columns, nullptr, nullptr};
    matrix.data = take(data_bytes(matrix));
    if (format == WeightFormat::fp8_e4m3) matrix.scales = static_cast<float*>(take(scale_bytes(matrix)));
    return matrix;
  }
  ExpertMatrices experts(WeightFormat format, RowOrder order, int rows, int columns, int count) {
    ExpertMatrices stack{{format, order, rows, columns, nullptr, nullptr}, count};
    stack.first.data = take(data_bytes(stack.first) * static_cast<std::size_t>(count));
    if (format == WeightFormat::fp8_e4m3)
      stack.first.scales =
          static_cast<float*>(take(scale_bytes(stack.first) * static_cast<std::size_t>(count)));
    return stack;
  }
  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }

 private:
  void* data_ = nullptr;
  std::size_t bytes_, used_ = 0;
};

/// Median seconds of a graph of what `launches` captures.
inline double median_seconds(const std::function<void(cudaStream_t)>& launches) {
  cudaStream_t stream = nullptr;
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  cudaEvent_t begin = nullptr, end = nullptr;
  check(cudaStreamCreate(&stream), "cudaStreamCreate");
  check(cudaEventCreate(&begin), "cudaEventCreate");
  check(cudaEventCreate(&end), "cudaEventCreate");
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
  launches(stream);
  check(cudaStreamEndCapture(stream, &graph), "cudaStreamEndCapture");
  check(cudaGraphInstantiate(&executable, graph, 0), "cudaGraphInstantiate");
  std::vector<double> seconds;
  for (int repetition = -2; repetition < 11; ++repetition) {
    check(cudaEventRecord(begin, stream), "cudaEventRecord");
    check(cudaGraphLaunch(executable, stream), "cudaGraphLaunch");
    check(cudaEventRecord(end, stream), "cudaEventRecord");
    check(cudaEventSynchronize(end), "cudaEventSynchronize");
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, begin, end), "cudaEventElapsedTime");
    if (repetition >= 0) seconds.push_back(1e-3 * static_cast<double>(milliseconds));
  }
  check(cudaGraphExecDestroy(executable), "cudaGraphExecDestroy");
  check(cudaGraphDestroy(graph), "cudaGraphDestroy");
  check(cudaEventDestroy(begin), "cudaEventDestroy");
  check(cudaEventDestroy(end), "cudaEventDestroy");
  check(cudaStreamDestroy(stream), "cudaStreamDestroy");
  std::ranges::nth_element(seconds, seconds.begin() + 5);
  return seconds[5];
}

}  // namespace sparkmpi::bench
