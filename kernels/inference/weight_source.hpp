#pragma once
// Where the values of planned tensors come from: a Hugging Face directory or a seed, in the layouts of
// weight_format.hpp.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "kernels/inference/tensor_plan.hpp"
#include "kernels/inference/weight_file.hpp"

namespace sparkmpi::kernels::inference {

/// A block of rows in memory; each plane with its own distance between rows in bytes, so that rows may be
/// padded. Planes that the format lacks are null.
struct RowBlock {
  std::byte* values = nullptr;
  std::size_t values_stride = 0;
  std::byte* scales = nullptr;
  std::size_t scales_stride = 0;
  std::byte* zeros = nullptr;
  std::size_t zeros_stride = 0;
};

/// Part of a matrix: rows [first_row, first_row + rows), columns likewise. Column bounds are multiples of
/// group_columns(format) for int4_awq and mxfp4; zero points are packed anew from the part's first group.
struct MatrixPart {
  std::size_t first_row = 0, rows = 0, first_column = 0, columns = 0;
};

class WeightSource {
 public:
  virtual ~WeightSource() = default;

  /// Makes sure that every tensor of the plan is there with its shape and a type that can be read. Throws
  /// UsageError with tensor, expected and found.
  virtual void check(std::span<const PlannedTensor> plan) const = 0;

  /// Writes a part of a matrix. Any number of threads may read at once. BF16 matrices may be stored as BF16,
  /// F16 or F32 (rounded); the others as their format says. An fp8_e4m3 scale of a whole tensor is repeated
  /// for each row.
  virtual void read(const PlannedTensor& tensor, const MatrixPart& part, const RowBlock& to) const = 0;

  /// A vector as single precision, norms with config's norm_offset not yet added.
  virtual std::vector<float> read_vector(const PlannedTensor& tensor) const = 0;
};

/// Tensors of model.safetensors or its shards. Quantised layers, from the planned name
/// "X.weight":
///   fp8_e4m3  X.weight F8_E4M3 [rows, columns], X.weight_scale F32, BF16 or F16: [], [1], [rows] or [rows,
///   1] int4_awq  X.qweight I32 [columns, rows/8], X.qzeros I32 [columns/128, rows/8], X.scales F16
///   [columns/128,
///             rows]; nibble i of a word holds row [0, 2, 4, 6, 1, 3, 5, 7][i] of its eight (AutoAWQ, "GEMM")
///   mxfp4     from "X": X_blocks U8 [experts, rows, columns/32, 16], X_scales U8 [experts, rows,
///   columns/32];
///             of a tensor that is not fused over experts the same without the outermost axis
std::unique_ptr<WeightSource> open_weights(const std::filesystem::path& directory,
                                           LoadMode mode = LoadMode::cached);

/// Elements of SyntheticTensor.
std::unique_ptr<WeightSource> synthetic_weights(std::uint64_t seed);

}  // namespace sparkmpi::kernels::inference
