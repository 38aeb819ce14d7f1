#pragma once
// The one list of a model's tensors, which every loader walks: what they are called, their shapes and
// formats, and what stands for them when weights are synthetic.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kernels/inference/model_config.hpp"
#include "kernels/inference/weight_format.hpp"

namespace sparkmpi::kernels::inference {

enum class TensorRole : std::uint8_t {
  embedding,
  attention_norm,
  query,
  key,
  value,
  query_bias,
  key_bias,
  value_bias,
  sinks,
  output,
  output_bias,
  mlp_norm,
  router,
  router_bias,
  gate,
  up,
  gate_bias,
  up_bias,
  down,
  down_bias,
  final_norm,
  lm_head
};

/// Where a checkpoint may hold a tensor: row r is row first_row + r·row_step of `name`, which has `rows` rows
/// in all; of its part `expert` when it has one part for each expert outermost.
struct TensorSource {
  std::string name;  ///< as in the file, with its last word ("….q_proj.weight"); quantised tensors' parts are
                     ///< derived from it (weight_source.hpp)
  std::size_t rows = 0;
  std::size_t first_row = 0, row_step = 1;
  int expert = -1, experts = 0;  ///< of a tensor that holds all experts
  bool transposed = false;       ///< stored [columns, rows]; a BF16 tensor of gpt-oss
};

/// A matrix [rows, columns], or a vector [rows] with columns 0.
struct PlannedTensor {
  TensorRole role = TensorRole::embedding;
  int layer = -1;    ///< -1: of no layer
  int expert = -1;   ///< -1: of no expert
  std::string name;  ///< the name of its synthetic stream; the same for every checkpoint's spelling
  std::size_t rows = 0, columns = 0;
  WeightFormat format = WeightFormat::bf16;
  /// Synthetic: SyntheticTensor(seed, name, fan_in, gain), unless `constant` is given. Biases and sinks are
  /// uniform in ±gain: their fan_in is 3.
  double gain = 1;
  std::uint64_t fan_in = 1;
  std::optional<float> constant;
  std::vector<TensorSource> sources;  ///< the first that is there counts

  bool is_vector() const { return columns == 0; }
  std::uint64_t elements() const { return static_cast<std::uint64_t>(rows) * (columns == 0 ? 1 : columns); }
  /// As a checkpoint stores it; vectors in 16 bits.
  std::uint64_t bytes() const {
    return columns == 0 ? 2 * rows : rows * static_cast<std::uint64_t>(row_bytes(format, columns).all());
  }
};

/// All tensors: the embedding; for each layer in order its attention's, then its feed-forward part's, expert
/// by expert, in the order of TensorRole; the final norm; lm_head unless it is tied to the embedding.
/// Gate and up are always two tensors, as are Q, K and V, whatever a checkpoint fuses. Matrices that add to
/// the residual stream (output, down) have gain 1/√(2·layers), which keeps its variance bounded by 2; all
/// others 1. Synthetic norms multiply by 1.
std::vector<PlannedTensor> tensor_plan(const ModelConfig& config);

}  // namespace sparkmpi::kernels::inference
