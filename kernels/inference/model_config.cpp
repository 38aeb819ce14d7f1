#include "kernels/inference/model_config.hpp"

#include <fmt/format.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/error.hpp"

namespace sparkmpi::kernels::inference {
namespace {

using Json = nlohmann::json;

// Far above any model there is, low enough that products of three of them stay within 64 bits.
constexpr std::int64_t kLargest = 1 << 20;
constexpr std::int64_t kMostPositions = std::int64_t{1} << 40;

class Fields {
 public:
  Fields(const Json& json, std::string_view where) : json_(json), where_(where) {}

  bool has(const char* name) const { return json_.contains(name) && !json_.at(name).is_null(); }

  std::int64_t whole(const char* name, std::int64_t least, std::int64_t most = kLargest) const {
    if (!has(name)) throw bad(name, "is missing");
    const Json& value = json_.at(name);
    if (!value.is_number_integer()) throw bad(name, "is no whole number");
    const bool huge =
        value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(most);
    if (huge || value.get<std::int64_t>() < least || value.get<std::int64_t>() > most) {
      throw bad(name, fmt::format("is not between {} and {}", least, most));
    }
    return value.get<std::int64_t>();
  }
  std::int64_t whole_or(const char* name, std::int64_t otherwise, std::int64_t least,
                        std::int64_t most = kLargest) const {
    return has(name) ? whole(name, least, most) : otherwise;
  }

  double positive(const char* name) const {
    if (!has(name)) throw bad(name, "is missing");
    const Json& value = json_.at(name);
    if (!value.is_number() || !std::isfinite(value.get<double>()) || value.get<double>() <= 0) {
      throw bad(name, "is no positive number");
    }
    return value.get<double>();
  }
  double positive_or(const char* name, double otherwise) const {
    return has(name) ? positive(name) : otherwise;
  }

  bool truth(const char* name, bool otherwise) const {
    if (!has(name)) return otherwise;
    if (!json_.at(name).is_boolean()) throw bad(name, "is neither true nor false");
    return json_.at(name).get<bool>();
  }

  std::string text(const char* name) const {
    if (!has(name)) throw bad(name, "is missing");
    if (!json_.at(name).is_string()) throw bad(name, "is no text");
    return json_.at(name).get<std::string>();
  }

  Fields object(const char* name) const {
    if (!json_.at(name).is_object()) throw bad(name, "is no object");
    return {json_.at(name), where_};
  }

  UsageError bad(std::string_view field, std::string_view why) const {
    return UsageError(fmt::format("{}: '{}' {}", where_, field, why));
  }

 private:
  const Json& json_;
  std::string_view where_;
};

Family family_of(const Fields& fields) {
  const std::string type = fields.text("model_type");
  for (const Family family : {Family::llama, Family::mistral, Family::qwen2}) {
    if (type == to_string(family)) return family;
  }
  throw fields.bad("model_type", fmt::format("is '{}'; this engine runs llama, mistral and qwen2", type));
}

/// transformers 5 writes rope_theta and the scaling into "rope_parameters", earlier releases beside and into
/// "rope_scaling".
void read_rope(const Fields& fields, ModelConfig& config) {
  config.rope_theta = fields.positive_or("rope_theta", 1e4);
  const char* const name = fields.has("rope_parameters") ? "rope_parameters" : "rope_scaling";
  if (!fields.has(name)) return;
  const Fields rope = fields.object(name);
  config.rope_theta = rope.positive_or("rope_theta", config.rope_theta);
  const std::string type = rope.has("rope_type") ? rope.text("rope_type")
                           : rope.has("type")    ? rope.text("type")
                                                 : "default";
  if (type == "default") return;
  if (type != "llama3")
    throw fields.bad(name, fmt::format("has the type '{}'; this engine knows default and llama3", type));
  config.rope_factor = rope.positive("factor");
  config.rope_low_freq_factor = rope.positive("low_freq_factor");
  config.rope_high_freq_factor = rope.positive("high_freq_factor");
  config.rope_original_positions = rope.whole("original_max_position_embeddings", 1, kMostPositions);
  if (config.rope_high_freq_factor <= config.rope_low_freq_factor) {
    throw fields.bad(name, "has a high_freq_factor that is not above its low_freq_factor");
  }
}

void read_window(const Fields& fields, ModelConfig& config) {
  // Qwen2 carries a window that use_sliding_window switches on, from layer max_window_layers upwards.
  if (config.family == Family::qwen2 && !fields.truth("use_sliding_window", false)) return;
  if (config.family == Family::llama || !fields.has("sliding_window")) return;
  config.sliding_window = fields.whole("sliding_window", 1, kMostPositions);
  if (config.family == Family::qwen2) {
    config.first_window_layer = static_cast<int>(fields.whole_or("max_window_layers", 0, 0));
  }
}

}  // namespace

std::string_view to_string(Family family) {
  switch (family) {
    case Family::llama:
      return "llama";
    case Family::mistral:
      return "mistral";
    case Family::qwen2:
      return "qwen2";
  }
  return "unknown";
}

std::uint64_t ModelConfig::kv_bytes_per_token() const {
  return 2ULL * static_cast<std::uint64_t>(layers) * static_cast<std::uint64_t>(kv_heads) *
         static_cast<std::uint64_t>(head_dim) * 2;
}

std::uint64_t ModelConfig::parameters_read_per_step() const {
  const auto wide = [](int value) { return static_cast<std::uint64_t>(value); };
  const std::uint64_t query = wide(heads) * wide(head_dim), key = wide(kv_heads) * wide(head_dim);
  const std::uint64_t attention =
      wide(hidden) * (query + 2 * key) + query * wide(hidden) + (qkv_bias ? query + 2 * key : 0);
  const std::uint64_t mlp = 3 * wide(hidden) * wide(intermediate);
  const std::uint64_t norms = 2 * wide(hidden);
  return wide(layers) * (attention + mlp + norms) + wide(hidden) + wide(vocab) * wide(hidden);
}

std::uint64_t ModelConfig::parameters() const {
  const std::uint64_t embedding = static_cast<std::uint64_t>(vocab) * static_cast<std::uint64_t>(hidden);
  return parameters_read_per_step() + (tied_embeddings ? 0 : embedding);
}

ModelConfig parse_model_config(std::string_view text, std::string_view where) {
  const Json json = Json::parse(text.begin(), text.end(), nullptr, false);
  if (json.is_discarded() || !json.is_object()) throw UsageError(fmt::format("{}: is no JSON object", where));
  const Fields fields(json, where);
  ModelConfig config;
  config.family = family_of(fields);
  config.layers = static_cast<int>(fields.whole("num_hidden_layers", 1));
  config.hidden = static_cast<int>(fields.whole("hidden_size", 1));
  config.intermediate = static_cast<int>(fields.whole("intermediate_size", 1));
  config.heads = static_cast<int>(fields.whole("num_attention_heads", 1));
  config.kv_heads = static_cast<int>(fields.whole_or("num_key_value_heads", config.heads, 1));
  config.vocab = static_cast<int>(fields.whole("vocab_size", 2, std::int64_t{1} << 24));
  config.max_positions = fields.whole_or("max_position_embeddings", 2048, 1, kMostPositions);
  if (config.heads % config.kv_heads != 0) {
    throw fields.bad("num_key_value_heads", fmt::format("({}) does not divide num_attention_heads ({})",
                                                        config.kv_heads, config.heads));
  }
  if (!fields.has("head_dim") && config.hidden % config.heads != 0) {
    throw fields.bad("hidden_size",
                     fmt::format("({}) is no multiple of num_attention_heads ({}), and there is no head_dim",
                                 config.hidden, config.heads));
  }
  config.head_dim = static_cast<int>(fields.whole_or("head_dim", config.hidden / config.heads, 2, 1024));
  if (config.head_dim % 2 != 0) throw fields.bad("head_dim", "is odd; rotary embedding needs pairs");
  if (fields.has("hidden_act") && fields.text("hidden_act") != "silu") {
    throw fields.bad("hidden_act", fmt::format("is '{}'; this engine has silu", fields.text("hidden_act")));
  }
  config.norm_eps = fields.positive_or("rms_norm_eps", 1e-6);
  config.tied_embeddings = fields.truth("tie_word_embeddings", false);
  config.qkv_bias = config.family == Family::qwen2 || fields.truth("attention_bias", false);
  if (config.family == Family::llama && config.qkv_bias) {
    throw fields.bad("attention_bias", "is set; this engine has llama without biases");
  }
  if (fields.truth("mlp_bias", false)) throw fields.bad("mlp_bias", "is set; this engine has no such biases");
  read_rope(fields, config);
  read_window(fields, config);
  return config;
}

ModelConfig read_model_config(const std::filesystem::path& directory) {
  const std::filesystem::path path = directory / "config.json";
  std::ifstream file(path);
  if (!file)
    throw UsageError(fmt::format("{}: can't be read; a Hugging Face model directory has one", path.string()));
  std::ostringstream text;
  text << file.rdbuf();
  ModelConfig config = parse_model_config(text.str(), path.string());
  const std::filesystem::path whole = std::filesystem::absolute(directory).lexically_normal();
  config.name = (whole.has_filename() ? whole : whole.parent_path()).filename().string();
  return config;
}

}  // namespace sparkmpi::kernels::inference
