#pragma once
// A model's weights in host memory, laid out for reading: fused matrices, rows padded to whole vectors, pages
// near their reader.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "kernels/host/buffer.hpp"
#include "kernels/host/thread_team.hpp"
#include "kernels/inference/bf16.hpp"
#include "kernels/inference/model_config.hpp"

namespace sparkmpi::kernels::inference {

/// Columns are padded with zeros to a multiple of this, so that no instruction set's inner loop has a
/// remainder.
inline constexpr std::size_t kColumnPadding = 32;
constexpr std::size_t padded(std::size_t columns) {
  return (columns + kColumnPadding - 1) / kColumnPadding * kColumnPadding;
}

/// A BF16 matrix [rows, columns], row-major with `stride` elements a row; a view into the weights' memory.
struct Matrix {
  const Bf16* data = nullptr;
  std::size_t rows = 0, columns = 0, stride = 0;
  const Bf16* row(std::size_t index) const { return data + index * stride; }
  std::uint64_t bytes() const { return static_cast<std::uint64_t>(rows) * stride * sizeof(Bf16); }
};

struct LayerWeights {
  Matrix qkv;      ///< [(heads + 2·kv_heads)·head_dim, hidden]: Q, then K, then V
  Matrix output;   ///< [hidden, heads·head_dim]
  Matrix gate_up;  ///< [2·intermediate, hidden]: gate, then up
  Matrix down;     ///< [hidden, intermediate]
  std::vector<float> attention_norm, mlp_norm;  ///< [hidden]
  std::vector<float> qkv_bias;                  ///< [rows of qkv], empty without biases
};

class Weights {
 public:
  /// Called now and then with the part of the bytes that is loaded, 0 to 1.
  using Progress = std::function<void(double)>;

  /// Loads a Hugging Face directory. Tensors may be BF16, F16 or F32 (rounded to BF16); every shape is
  /// checked against the configuration. Throws UsageError naming tensor, expected and found shape.
  static Weights load(const ModelConfig& config, const std::filesystem::path& directory,
                      host::ThreadTeam& team, const Progress& progress = {});
  /// Makes weights of the same layout from a seed (synthetic.hpp). Norms are 1, biases are drawn with gain
  /// 0.1, and the two matrices that add to the residual stream have gain 1/√(2·layers), which keeps its
  /// variance bounded by 2.
  static Weights synthetic(const ModelConfig& config, std::uint64_t seed, host::ThreadTeam& team,
                           const Progress& progress = {});

  const ModelConfig& config() const { return config_; }
  const Matrix& embedding() const { return embedding_; }
  const Matrix& lm_head() const { return lm_head_; }  ///< the embedding's memory when tied
  const LayerWeights& layer(int index) const { return layers_[static_cast<std::size_t>(index)]; }
  const std::vector<float>& final_norm() const { return final_norm_; }

  /// Memory held.
  std::uint64_t bytes() const;
  /// Bytes of all that one decode step reads: every matrix but an untied input embedding, and the norms and
  /// biases.
  std::uint64_t bytes_read_per_step() const;
  /// XXH3 (64 bit) of all rows as loaded, without padding: the same for the same values from whatever file or
  /// seed.
  std::uint64_t hash() const;

 private:
  class Builder;
  explicit Weights(const ModelConfig& config) : config_(config) {}

  ModelConfig config_;
  std::vector<host::Buffer> buffers_;
  Matrix embedding_, lm_head_;
  std::vector<LayerWeights> layers_;
  std::vector<float> final_norm_;
};

}  // namespace sparkmpi::kernels::inference
