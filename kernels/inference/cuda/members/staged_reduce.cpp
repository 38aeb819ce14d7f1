#include "kernels/inference/cuda/members/staged_reduce.hpp"

namespace sparkmpi::kernels::inference::gpu {

void StagedReduce::sum(float* values, std::size_t count, const Launch& launch) {
  const std::size_t bytes = count * sizeof(float);
  if (staging_.bytes() < bytes) {
    // The last sum may still be on its way out of the memory that goes.
    gpu::check(cudaStreamSynchronize(launch.stream), "a sum through the host");
    staging_ = PinnedMemory(bytes, "sums through the host");
  }
  gpu::check(cudaMemcpyAsync(staging_.as(), values, bytes, cudaMemcpyDeviceToHost, launch.stream),
             "copy of a sum to the host");
  gpu::check(cudaStreamSynchronize(launch.stream), "a sum through the host");
  group_.sum({staging_.as<float>(), count});
  gpu::check(cudaMemcpyAsync(values, staging_.as(), bytes, cudaMemcpyHostToDevice, launch.stream),
             "copy of a sum to the device");
}

}  // namespace sparkmpi::kernels::inference::gpu
