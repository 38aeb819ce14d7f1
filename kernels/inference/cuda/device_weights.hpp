#pragma once
// A model's weights in device memory, laid out for the products.

#include <vector>

#include "kernels/inference/cuda/device.hpp"
#include "kernels/inference/cuda/linear/device_matrix.hpp"
#include "kernels/inference/cuda_inference.hpp"

namespace sparkmpi::kernels::inference::gpu {

/// Matrices, and the planes of rows on their way, begin at multiples of this.
constexpr std::size_t aligned(std::size_t bytes) {
  constexpr std::size_t kAlignment = 256;
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

/// One layer. Vectors are single precision, null where the model has none; norms have their offset added.
struct LayerMatrices {
  DeviceMatrix qkv;            ///< [(heads + 2·kv_heads)·head_dim, hidden]: Q, then K, then V
  DeviceMatrix output;         ///< [hidden, heads·head_dim]
  DeviceMatrix gate_up, down;  ///< dense: [2·intermediate, hidden], gate then up; [hidden, intermediate]
  DeviceMatrix router;         ///< [experts, hidden]
  ExpertMatrices expert_gate_up, expert_down;
  float *attention_norm = nullptr, *mlp_norm = nullptr;  ///< [hidden]
  float *qkv_bias = nullptr, *output_bias = nullptr, *sinks = nullptr, *router_bias = nullptr;
  float *gate_up_bias = nullptr, *down_bias = nullptr;  ///< [experts or 1, rows]
};

class ResidentWeights final : public DeviceWeights {
 public:
  /// Allocates on the current device, then fills. Throws as CudaInference::load.
  ResidentWeights(int ordinal, const WeightOrigin& origin);

  const ModelConfig& config() const override { return shard_.local; }
  const ModelShard& shard() const { return shard_; }
  int ordinal() const override { return ordinal_; }
  std::uint64_t bytes() const override { return matrices_.bytes() + vectors_.bytes(); }
  std::uint64_t hash() const override { return hash_; }

  const DeviceMatrix& embedding() const { return embedding_; }
  /// [rows of the member's vocabulary, hidden]; tied, rows of the embedding.
  const DeviceMatrix& lm_head() const { return lm_head_; }
  const LayerMatrices& layer(int index) const { return layers_[static_cast<std::size_t>(index)]; }
  const float* final_norm() const { return final_norm_; }

 private:
  class Layout;
  class Loader;
  /// Returns the hash.
  std::uint64_t fill(const WeightOrigin& origin);
  ModelShard shard_;
  int ordinal_;
  DeviceMatrix embedding_, lm_head_;
  std::vector<LayerMatrices> layers_;
  float* final_norm_ = nullptr;
  DeviceMemory matrices_, vectors_;
  std::uint64_t hash_ = 0;
};

}  // namespace sparkmpi::kernels::inference::gpu
