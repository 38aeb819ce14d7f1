#pragma once
// Products of a BF16 matrix with many vectors, by cuBLASLt: prefill and batches that are too large for products.hpp.

#include <cuda_runtime_api.h>

#include <cstdint>
#include <memory>

namespace sparkmpi::kernels::inference::gpu {

/// What a product is stored as.
enum class ProductType : std::uint8_t { fp32, bf16 };

/// y [vectors, rows] (+)= x [vectors, columns] · matrix [rows, columns]ᵀ; all row-major, sums in single precision.
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

class MatrixProducts {
 public:
  /// Loads the library on first use of the process and allocates a workspace. Throws Error that says what is missing.
  MatrixProducts();
  ~MatrixProducts();
  MatrixProducts(const MatrixProducts&) = delete;             ///< owns a handle
  MatrixProducts& operator=(const MatrixProducts&) = delete;  ///< owns a handle

  /// Asynchronous in `stream`; may be captured. An algorithm is looked up the first time that a shape comes.
  void multiply(const MatrixProduct& product, cudaStream_t stream);

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace sparkmpi::kernels::inference::gpu
