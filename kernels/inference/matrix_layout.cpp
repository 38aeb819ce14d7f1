#include "kernels/inference/matrix_layout.hpp"

namespace sparkmpi::kernels::inference {
namespace {

/// Planes begin at cache lines.
constexpr std::size_t kAlignment = 64;

std::size_t aligned(std::size_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

/// Bytes from row to row: values of padded rows. (A format with groups has no padding: they are multiples of
/// 32 columns.)
RowBytes row_distance(WeightFormat format, std::size_t columns) {
  RowBytes distance = row_bytes(format, columns);
  distance.values = row_bytes(format, padded(columns)).values;
  return distance;
}

}  // namespace

Matrix shape_of(std::span<const PlannedTensor> tensors, const ModelShard& shard) {
  Matrix result;
  result.format = tensors.front().format;
  result.columns = matrix_part(shard.part_of(tensors.front())).columns;
  result.stride = padded(result.columns);
  result.distance = row_distance(result.format, result.columns);
  for (const PlannedTensor& tensor : tensors) result.rows += matrix_part(shard.part_of(tensor)).rows;
  return result;
}

std::size_t bytes_of(const Matrix& matrix) {
  return aligned(matrix.rows * matrix.distance.values) + aligned(matrix.rows * matrix.distance.scales) +
         aligned(matrix.rows * matrix.distance.zeros);
}

RowBlock put(Matrix& matrix, std::byte* memory) {
  std::byte* const scales = memory + aligned(matrix.rows * matrix.distance.values);
  std::byte* const zeros = scales + aligned(matrix.rows * matrix.distance.scales);
  matrix.values = memory;
  if (matrix.distance.scales > 0) matrix.scales = scales;
  if (matrix.distance.zeros > 0) matrix.zeros = zeros;
  return {memory, matrix.distance.values, scales, matrix.distance.scales, zeros, matrix.distance.zeros};
}

}  // namespace sparkmpi::kernels::inference
