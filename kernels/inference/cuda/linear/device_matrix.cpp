#include "kernels/inference/cuda/linear/device_matrix.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "kernels/inference/cuda/linear/tile_layout.cuh"

namespace sparkmpi::kernels::inference::gpu {

int tile_count(const DeviceMatrix& matrix) {
  return (matrix.rows + kTileRows - 1) / kTileRows;
}

std::size_t data_bytes(const DeviceMatrix& matrix) {
  if (matrix.format == WeightFormat::bf16) return static_cast<std::size_t>(matrix.rows) * matrix.columns * 2;
  return static_cast<std::size_t>(tile_count(matrix)) * units_of(matrix.format, matrix.columns) *
         unit_bytes(matrix.format);
}

std::size_t scale_bytes(const DeviceMatrix& matrix) {
  return matrix.format == WeightFormat::fp8_e4m3 ? static_cast<std::size_t>(matrix.rows) * sizeof(float) : 0;
}

DeviceMatrix expert(const ExpertMatrices& stack, int index) {
  DeviceMatrix matrix = stack.first;
  matrix.data = static_cast<std::byte*>(matrix.data) + data_bytes(matrix) * static_cast<std::size_t>(index);
  if (matrix.scales != nullptr) matrix.scales += static_cast<std::size_t>(matrix.rows) * index;
  return matrix;
}

void check_shape(const DeviceMatrix& matrix) {
  if (matrix.rows <= 0 || matrix.columns <= 0)
    throw UsageError(fmt::format("a matrix of {} rows and {} columns", matrix.rows, matrix.columns));
  const int columns = matrix.format == WeightFormat::int4_awq ? 128
                      : matrix.format == WeightFormat::mxfp4  ? 32
                                                              : 8;
  if (matrix.columns % columns != 0) {
    throw UsageError(fmt::format("{} weights with {} columns: the GPU's products need a multiple of {}",
                                 to_string(matrix.format), matrix.columns, columns));
  }
  if (matrix.order != RowOrder::plain && matrix.rows % kTileRows != 0) {
    throw UsageError(fmt::format("gate and up of {} rows together: the GPU's products need a multiple of {}",
                                 matrix.rows, kTileRows));
  }
}

}  // namespace sparkmpi::kernels::inference::gpu
