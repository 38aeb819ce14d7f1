#include "kernels/inference/cuda/interface.hpp"

#include "kernels/inference/cuda/cuda_engine.hpp"
#include "kernels/inference/cuda/device.hpp"

namespace sparkmpi::kernels::inference {
namespace {

std::unique_ptr<DeviceWeights> load(int ordinal, const WeightOrigin& origin) {
  gpu::check(cudaSetDevice(ordinal), "cudaSetDevice");
  return std::make_unique<gpu::ResidentWeights>(ordinal, origin);
}

std::unique_ptr<Engine> make_engine(const DeviceWeights& weights, const CudaEngineOptions& options) {
  gpu::check(cudaSetDevice(weights.ordinal()), "cudaSetDevice");
  return gpu::make_cuda_engine(static_cast<const gpu::ResidentWeights&>(weights), options);
}

}  // namespace

const CudaInference& cuda_inference() {
  static const CudaInference table = {load, make_engine};
  return table;
}

}  // namespace sparkmpi::kernels::inference
