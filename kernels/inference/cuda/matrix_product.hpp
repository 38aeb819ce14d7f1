#pragma once
// Products of a BF16 matrix with many vectors, by cuBLASLt: prefill and batches that are too large for
// products.hpp.

#include <cuda_runtime_api.h>

#include <cstdint>
#include <map>
#include <memory>
#include <tuple>

#include "kernels/device/cuda/matmul.hpp"

namespace sparkmpi::kernels::inference::gpu {

/// What a product is stored as.
enum class ProductType : std::uint8_t { fp32, bf16 };

/// y [vectors, rows] (+)= x [vectors, columns] · matrix [rows, columns]ᵀ; all row-major, sums in single
/// precision.
struct MatrixProduct {
  const std::uint16_t* matrix = nullptr;  ///< BF16, rows without padding
  int rows = 0, columns = 0;
  const std::uint16_t* x = nullptr;  ///< BF16, rows without padding
  int vectors = 0;
  void* y = nullptr;
  int y_stride = 0;  ///< elements
  ProductType type = ProductType::fp32;
  bool accumulate = false;  ///< add to y
};

/// Throws Error when cuBLASLt is missing (kernels/device/cuda/cublaslt.hpp).
class MatrixProducts {
 public:
  /// Asynchronous in `stream`; may be captured. A plan is made the first time that a shape comes.
  void multiply(const MatrixProduct& product, cudaStream_t stream);

 private:
  std::shared_ptr<const cuda::MatmulLibrary> library_ = std::make_shared<cuda::MatmulLibrary>();
  std::map<std::tuple<int, int, int, int, ProductType>, cuda::Matmul> plans_;
};

}  // namespace sparkmpi::kernels::inference::gpu
