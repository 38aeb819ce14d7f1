#pragma once
// A member's part of a model's weights in host memory, laid out for reading: fused matrices, rows padded to
// whole vectors, pages near their reader.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

#include "kernels/host/buffer.hpp"
#include "kernels/host/thread_team.hpp"
#include "kernels/inference/bf16.hpp"
#include "kernels/inference/model_shard.hpp"
#include "kernels/inference/weight_file.hpp"
#include "kernels/inference/weight_format.hpp"

namespace sparkmpi::kernels::inference {

/// Columns are padded with zeros to a multiple of this, so that no instruction set's inner loop has a
/// remainder.
inline constexpr std::size_t kColumnPadding = 32;
constexpr std::size_t padded(std::size_t columns) {
  return (columns + kColumnPadding - 1) / kColumnPadding * kColumnPadding;
}

/// A matrix [rows, columns] in one of the formats of weight_format.hpp, its values padded to `stride`
/// columns; a view into the weights' memory.
struct Matrix {
  WeightFormat format = WeightFormat::bf16;
  const std::byte* values = nullptr;
  const std::byte* scales = nullptr;
  const std::byte* zeros = nullptr;
  std::size_t rows = 0, columns = 0, stride = 0;
  RowBytes distance{};  ///< bytes from row to row in each plane

  /// A row of BF16.
  const Bf16* row(std::size_t index) const { return reinterpret_cast<const Bf16*>(values) + index * stride; }
  std::uint64_t bytes() const { return static_cast<std::uint64_t>(rows) * distance.all(); }
};

/// A dense feed-forward part, or one expert.
struct FeedForwardWeights {
  Matrix gate_up;                              ///< [2·intermediate, hidden]: gate, then up
  Matrix down;                                 ///< [hidden, intermediate]
  std::vector<float> gate_up_bias, down_bias;  ///< empty without biases
};

struct LayerWeights {
  Matrix qkv;     ///< [(heads + 2·kv_heads)·head_dim, hidden]: Q, then K, then V
  Matrix output;  ///< [hidden, heads·head_dim]
  Matrix router;  ///< [experts, hidden]
  std::vector<FeedForwardWeights> feed_forward;           ///< one, or each expert's
  std::vector<float> attention_norm, mlp_norm;            ///< [hidden], norm_offset added
  std::vector<float> qkv_bias, output_bias, router_bias;  ///< empty without biases
  std::vector<float> sinks;                               ///< [heads], or empty
};

/// All shapes are those of shard.local: with one member the model's own.
class Weights {
 public:
  /// Called now and then with the part that is loaded, 0 to 1.
  using Progress = std::function<void(double)>;

  /// Loads the member's part of a Hugging Face directory (open_weights). Every tensor is checked against the
  /// configuration before the first is read. Throws UsageError naming tensor, expected and found.
  static Weights load(const ModelShard& shard, const std::filesystem::path& directory, host::ThreadTeam& team,
                      const Progress& progress = {}, LoadMode mode = LoadMode::cached);
  /// Makes weights of the same layout from a seed (tensor_plan.hpp says with which gains): the member's part
  /// of the whole model's.
  static Weights synthetic(const ModelShard& shard, std::uint64_t seed, host::ThreadTeam& team,
                           const Progress& progress = {});

  const ModelShard& shard() const { return shard_; }
  const ModelConfig& config() const { return shard_.local; }
  const Matrix& embedding() const { return embedding_; }
  /// The member's rows (ModelShard::vocabulary); the embedding's memory when tied.
  const Matrix& lm_head() const { return lm_head_; }
  const LayerWeights& layer(int index) const { return layers_[static_cast<std::size_t>(index)]; }
  const std::vector<float>& final_norm() const { return final_norm_; }

  /// Memory held.
  std::uint64_t bytes() const { return buffer_.size(); }
  /// Bytes of all that one decode step reads: every matrix but an untied input embedding, the norms and
  /// biases, and of each layer's experts as many as said (dense models have no choice).
  std::uint64_t bytes_read_per_step(int distinct_experts) const;
  /// Of one expert; 0 when dense.
  std::uint64_t expert_bytes() const;
  /// Of all rows that this member loaded, without padding (weight_hash.hpp): the same for the same values
  /// from whatever file or seed, and on whatever device. Rows and columns count from the part's first.
  std::uint64_t hash() const { return hash_; }

 private:
  class Builder;
  explicit Weights(const ModelShard& shard) : shard_(shard) {}

  ModelShard shard_;
  std::uint64_t hash_ = 0;
  host::Buffer buffer_;  ///< of all matrices: huge pages end at its ends alone
  Matrix embedding_, lm_head_;
  std::vector<LayerWeights> layers_;
  std::vector<float> final_norm_;
};

}  // namespace sparkmpi::kernels::inference
