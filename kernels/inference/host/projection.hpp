#pragma once
// Products of matrices with a few vectors (our kernels, bound by memory) or with many (OpenBLAS, bound by
// arithmetic).

#include <cstddef>
#include <vector>

#include "kernels/inference/host/math_ops.hpp"
#include "kernels/inference/weights.hpp"

namespace sparkmpi::kernels::inference {

/// One worker's means of multiplying. The inputs are row-major, [vectors, columns of the matrix].
class Projection {
 public:
  /// @param widest the longest padded row of any matrix.
  Projection(const MathOps& ops, std::size_t widest);

  /// Takes the vectors that the next calls multiply by; `x` stays alive until then.
  void set_input(const float* x, std::size_t vectors, std::size_t columns);

  /// y[v·y_stride + r] (+)= Σ matrix[first_row + r, c]·x[v, c] for r in [0, rows).
  /// @param accumulate add to y instead of setting it.
  void multiply(const Matrix& matrix, std::size_t first_row, std::size_t rows, float* y, std::size_t y_stride,
                bool accumulate);

 private:
  /// The product with few vectors.
  void few(const Matrix& matrix, std::size_t first_row, std::size_t rows, float* y, std::size_t y_stride);

  const MathOps& ops_;
  const float* x_ = nullptr;
  std::size_t vectors_ = 0, columns_ = 0;
  std::vector<float> packed_;   ///< few vectors: in the order that matvec wants
  std::vector<float> queries_;  ///< the same for matvec_quantized, made when it is first wanted
  bool queries_ready_ = false;
  std::vector<float> panel_;    ///< many: rows of the matrix in single precision
  std::vector<float> product_;  ///< few, accumulating: the product before it is added
};

}  // namespace sparkmpi::kernels::inference
