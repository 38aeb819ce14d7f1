#pragma once
// How the host's matrices lie in memory: plane after plane, rows of values padded.

#include <cstddef>
#include <span>

#include "kernels/inference/model_shard.hpp"
#include "kernels/inference/tensor_plan.hpp"
#include "kernels/inference/weight_source.hpp"
#include "kernels/inference/weights.hpp"

namespace sparkmpi::kernels::inference {

/// A member's matrix of tensors with the same columns, one below the other; without memory yet.
Matrix shape_of(std::span<const PlannedTensor> tensors, const ModelShard& shard);

/// Bytes that its planes take, in whole cache lines.
std::size_t bytes_of(const Matrix& matrix);

/// Puts the matrix there. Returns the same memory to write to.
RowBlock put(Matrix& matrix, std::byte* memory);

}  // namespace sparkmpi::kernels::inference
