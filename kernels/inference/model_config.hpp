#pragma once
// A model's shape, as Hugging Face's config.json says it.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace sparkmpi::kernels::inference {

enum class Family : std::uint8_t { llama, mistral, qwen2 };
std::string_view to_string(Family family);

struct ModelConfig {
  Family family = Family::llama;
  std::string name;  ///< directory name or catalogue name
  int layers = 0, hidden = 0, intermediate = 0, heads = 0, kv_heads = 0, head_dim = 0, vocab = 0;
  std::int64_t max_positions = 0;
  bool tied_embeddings = false;
  bool qkv_bias = false;
  double rope_theta = 1e4;
  /// Llama-3.1 style frequency scaling ("rope_scaling": {"rope_type": "llama3", …}); factor 1 means none.
  double rope_factor = 1, rope_low_freq_factor = 1, rope_high_freq_factor = 4;
  std::int64_t rope_original_positions = 0;
  double norm_eps = 1e-5;
  std::int64_t sliding_window = 0;  ///< tokens a query sees, itself included; 0: all
  int first_window_layer = 0;       ///< layers below it see everything

  /// The window of one layer, 0: none.
  std::int64_t window_of(int layer) const { return layer >= first_window_layer ? sliding_window : 0; }

  /// Bytes of keys and values of one token with 16-bit elements: 2 · layers · kv_heads · head_dim · 2.
  std::uint64_t kv_bytes_per_token() const;
  /// Parameters with the input embedding, and without it (what a decode step reads; tied embeddings are read
  /// as output).
  std::uint64_t parameters() const;
  std::uint64_t parameters_read_per_step() const;
};

/// Parses config.json's text. @param where names the source in messages. Throws UsageError for missing or
/// senseless fields (named), unknown model_type (with the known ones), and features this engine lacks
/// (named).
ModelConfig parse_model_config(std::string_view json, std::string_view where);

/// Reads DIR/config.json.
ModelConfig read_model_config(const std::filesystem::path& directory);

}  // namespace sparkmpi::kernels::inference
