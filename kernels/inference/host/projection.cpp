#include "kernels/inference/host/projection.hpp"

#include <cblas.h>

#include <algorithm>

#include "kernels/inference/host/dequantize.hpp"

namespace sparkmpi::kernels::inference {
namespace {

// Rows of a panel: with 128 of a few thousand columns it fits a second-level cache, and OpenBLAS is at full
// speed.
constexpr std::size_t kPanelRows = 128;

QuantizedRows quantized_rows(const Matrix& matrix, std::size_t first_row, std::size_t rows) {
  return {matrix.format,
          matrix.values + first_row * matrix.distance.values,
          matrix.scales + first_row * matrix.distance.scales,
          matrix.zeros + first_row * matrix.distance.zeros,
          matrix.distance,
          rows,
          matrix.stride};
}

}  // namespace

Projection::Projection(const MathOps& ops, std::size_t widest) : ops_(ops), panel_(kPanelRows * widest) {
  packed_.resize(MathOps::kMostVectors * widest);
}

void Projection::set_input(const float* x, std::size_t vectors, std::size_t columns) {
  x_ = x;
  vectors_ = vectors;
  columns_ = columns;
  queries_ready_ = false;
  if (vectors > MathOps::kMostVectors) return;
  const std::size_t stride = padded(columns);
  for (std::size_t v = 0; v < vectors; ++v)
    ops_.pack(x + v * columns, columns, stride, packed_.data() + v * stride);
}

void Projection::few(const Matrix& matrix, std::size_t first_row, std::size_t rows, float* y,
                     std::size_t y_stride) {
  if (matrix.format == WeightFormat::bf16) {
    ops_.matvec(matrix.row(first_row), rows, matrix.stride, packed_.data(), vectors_, y, y_stride);
    return;
  }
  if (!queries_ready_) {
    queries_.resize(std::max(queries_.size(), vectors_ * matrix.stride));
    for (std::size_t v = 0; v < vectors_; ++v)
      ops_.pack_query(x_ + v * columns_, columns_, matrix.stride, queries_.data() + v * matrix.stride);
    queries_ready_ = true;
  }
  ops_.matvec_quantized(quantized_rows(matrix, first_row, rows), queries_.data(), vectors_, y, y_stride);
}

void Projection::multiply(const Matrix& matrix, std::size_t first_row, std::size_t rows, float* y,
                          std::size_t y_stride, bool accumulate) {
  if (rows == 0) return;
  if (vectors_ <= MathOps::kMostVectors) {
    if (!accumulate) return few(matrix, first_row, rows, y, y_stride);
    product_.resize(std::max(product_.size(), vectors_ * rows));
    few(matrix, first_row, rows, product_.data(), rows);
    for (std::size_t v = 0; v < vectors_; ++v) {
      for (std::size_t r = 0; r < rows; ++r) y[v * y_stride + r] += product_[v * rows + r];
    }
    return;
  }
  for (std::size_t row = 0; row < rows; row += kPanelRows) {
    const std::size_t count = std::min(kPanelRows, rows - row);
    if (matrix.format == WeightFormat::bf16) {
      ops_.expand(matrix.row(first_row + row), count * matrix.stride, panel_.data());
    } else {
      dequantize(quantized_rows(matrix, first_row + row, count), panel_.data());
    }
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, static_cast<int>(vectors_), static_cast<int>(count),
                static_cast<int>(columns_), 1.0F, x_, static_cast<int>(columns_), panel_.data(),
                static_cast<int>(matrix.stride), accumulate ? 1.0F : 0.0F, y + row,
                static_cast<int>(y_stride));
  }
}

}  // namespace sparkmpi::kernels::inference
