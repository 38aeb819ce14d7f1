#pragma once
// The GPU side of `gemm` within the CUDA module.

#include "kernels/gemm/product.hpp"

namespace sparkmpi::kernels::gemm {

const CudaGemm& cuda_gemm();

}  // namespace sparkmpi::kernels::gemm
