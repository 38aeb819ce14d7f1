#pragma once
// The GPU side of `inference` within the CUDA module.

#include "kernels/inference/cuda_inference.hpp"

namespace sparkmpi::kernels::inference {

const CudaInference& cuda_inference();

}  // namespace sparkmpi::kernels::inference
