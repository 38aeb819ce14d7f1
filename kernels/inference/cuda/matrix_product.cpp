#include "kernels/inference/cuda/matrix_product.hpp"

namespace sparkmpi::kernels::inference::gpu {

void MatrixProducts::multiply(const MatrixProduct& p, cudaStream_t stream) {
  const auto key = std::tuple(p.rows, p.columns, p.vectors, p.y_stride, p.type);
  auto plan = plans_.find(key);
  if (plan == plans_.end()) {
    cuda::MatmulProblem problem{p.rows, p.vectors, p.columns, p.y_stride};
    problem.output = p.type == ProductType::fp32 ? CUDA_R_32F : CUDA_R_16BF;
    plan = plans_.try_emplace(key, library_, problem).first;
  }
  plan->second.run(p.matrix, p.x, p.y, stream, p.accumulate ? 1.0F : 0.0F);
}

}  // namespace sparkmpi::kernels::inference::gpu
