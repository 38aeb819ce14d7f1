#pragma once
// The transformer on one GPU.

#include <memory>

#include "kernels/inference/cuda/device_weights.hpp"

namespace sparkmpi::kernels::inference::gpu {

/// As CudaInference::make_engine.
std::unique_ptr<Engine> make_cuda_engine(const ResidentWeights& weights, const CudaEngineOptions& options);

}  // namespace sparkmpi::kernels::inference::gpu
