#pragma once
// A model's shape, as Hugging Face's config.json says it.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "kernels/inference/weight_format.hpp"

namespace sparkmpi::kernels::inference {

enum class Family : std::uint8_t { llama, mistral, qwen2, gemma, phi3, mixtral, gpt_oss };
std::string_view to_string(Family family);

/// What the feed-forward part does with gate g and up u.
enum class Activation : std::uint8_t {
  silu,            ///< g·σ(g)·u
  gelu_tanh,       ///< gelu(g)·u with GELU's tanh form: g/2·(1 + tanh(√(2/π)·(g + 0.044715·g³)))
  swiglu_clamped,  ///< gpt-oss: g·σ(1.702·g)·(u + 1), g at most and u within ± activation_limit
};
inline constexpr float kClampedSwigluAlpha = 1.702F;

enum class RopeScaling : std::uint8_t { none, llama3, yarn };

/// Engines ask for behaviour, never for the family: two families of one behaviour are one code path.
struct ModelConfig {
  std::string name;  ///< directory name or catalogue name
  Family family = Family::llama;
  Activation activation = Activation::silu;
  bool tied_embeddings = false;
  bool qkv_bias = false, output_bias = false;
  /// Each query head has a logit that joins its softmax's denominator and nothing else (gpt-oss).
  bool attention_sinks = false;
  bool router_bias = false;
  bool mlp_bias = false;  ///< on gate, up and down, of each expert

  int layers = 0, hidden = 0, intermediate = 0, heads = 0, kv_heads = 0, head_dim = 0, vocab = 0;
  /// RMSNorm multiplies by (offset + w) in single precision: 1 for Gemma, 0 otherwise.
  float norm_offset = 0;
  double norm_eps = 1e-5;
  /// Embeddings are multiplied by this: √hidden rounded to BF16 for Gemma, as transformers does in BF16.
  float embedding_scale = 1;
  float activation_limit = 0;  ///< of swiglu_clamped

  std::int64_t max_positions = 0;
  std::int64_t sliding_window = 0;  ///< tokens a query sees, itself included; 0: all
  int first_window_layer = 0;       ///< layers below it see everything
  int window_period = 1;            ///< above it, layers whose number it divides have the window

  double rope_theta = 1e4;
  double rope_factor = 1;
  double rope_low_freq_factor = 1, rope_high_freq_factor = 4;  ///< llama3
  double rope_beta_fast = 32, rope_beta_slow = 1;              ///< yarn
  std::int64_t rope_original_positions = 0;                    ///< llama3, yarn
  /// Sines and cosines are multiplied by this. YaRN: 0.1·ln(factor) + 1 unless config.json says otherwise.
  double rope_attention_factor = 1;
  RopeScaling rope_scaling = RopeScaling::none;
  bool rope_truncate = true;  ///< yarn: round the ramp's ends to whole pairs

  /// How the linear layers are stored: quantization_config, or what a person asks synthetic weights to be.
  /// Embedding, lm_head, norms, biases, sinks and router are never quantised.
  WeightFormat attention_format = WeightFormat::bf16;  ///< q, k, v, o
  WeightFormat mlp_format = WeightFormat::bf16;        ///< gate, up, down

  /// Experts of a layer; 0: a dense feed-forward part. A token goes to the experts_per_token experts with the
  /// highest router logits (ties: the lower number), whose outputs are summed with the softmax of these
  /// logits. (Mixtral's softmax over all, renormalised over the chosen ones, is the same.)
  int experts = 0, experts_per_token = 0;

  /// The window of one layer, 0: none.
  std::int64_t window_of(int layer) const {
    return layer >= first_window_layer && layer % window_period == 0 ? sliding_window : 0;
  }
  /// Feed-forward parts of one layer: 1 when dense.
  int experts_or_one() const { return experts > 0 ? experts : 1; }

  /// Bytes of keys and values of one token with 16-bit elements: 2 · layers · kv_heads · head_dim · 2.
  std::uint64_t kv_bytes_per_token() const;
  /// All parameters. Tied embeddings count once.
  std::uint64_t parameters() const;
  /// What a decode step reads: all but an untied input embedding, and of the experts only
  /// `distinct_experts` in each layer (ignored by dense models; experts_per_token at batch 1).
  std::uint64_t parameters_read_per_step(int distinct_experts) const;
  std::uint64_t parameters_read_per_step() const { return parameters_read_per_step(experts_per_token); }
  /// The same in bytes as a checkpoint stores them: linear layers in their formats with scales and zero
  /// points, all else in 16 bits.
  std::uint64_t weight_bytes() const;
  std::uint64_t weight_bytes_read_per_step(int distinct_experts) const;
  /// Gate, up and down of one expert with their biases; 0 when dense.
  std::uint64_t expert_bytes() const;
};

/// Gives the linear layers a format. MXFP4 leaves the attention of models with experts in BF16, as gpt-oss
/// does. Throws UsageError when the format's groups don't divide the rows.
void set_weight_format(ModelConfig& config, WeightFormat format);

/// The one name for both formats: "bf16", "fp8", "awq", "mxfp4".
std::string_view precision_of(const ModelConfig& config);

/// Parses config.json's text. @param where names the source in messages. Throws UsageError for missing or
/// senseless fields (named), unknown model_type (with the known ones), and features this engine lacks
/// (named).
ModelConfig parse_model_config(std::string_view json, std::string_view where);

/// Reads DIR/config.json.
ModelConfig read_model_config(const std::filesystem::path& directory);

}  // namespace sparkmpi::kernels::inference
