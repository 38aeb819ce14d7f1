#include "kernels/inference/model_config.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <sstream>

#include "kernels/inference/config_fields.hpp"

namespace sparkmpi::kernels::inference {
namespace {

using Json = nlohmann::json;

/// What transformers' configuration classes take where config.json says nothing.
struct FamilyDefaults {
  Family family;
  std::string_view model_type;
  double norm_eps, rope_theta;
  bool tied_embeddings;
};
constexpr std::array<FamilyDefaults, 7> kFamilies = {{
    {Family::llama, "llama", 1e-6, 1e4, false},
    {Family::mistral, "mistral", 1e-6, 1e4, false},
    {Family::qwen2, "qwen2", 1e-6, 1e4, false},
    {Family::gemma, "gemma", 1e-6, 1e4, true},
    {Family::phi3, "phi3", 1e-5, 1e4, false},
    {Family::mixtral, "mixtral", 1e-5, 1e6, false},
    {Family::gpt_oss, "gpt_oss", 1e-5, 1.5e5, false},
}};

// Byte counts of any format stay within 64 bits.
constexpr double kMostParameters = 0x1p60;

const FamilyDefaults& defaults_of(const ConfigFields& fields) {
  const std::string type = fields.text("model_type");
  std::string known;
  for (const FamilyDefaults& family : kFamilies) {
    if (type == family.model_type) return family;
    known += (known.empty() ? "" : ", ") + std::string(family.model_type);
  }
  throw fields.bad("model_type", fmt::format("is '{}'; this engine runs {}", type, known));
}

void read_yarn(const ConfigFields& rope, ModelConfig& config) {
  config.rope_scaling = RopeScaling::yarn;
  config.rope_factor = rope.positive("factor");
  config.rope_beta_fast = rope.positive_or("beta_fast", 32);
  config.rope_beta_slow = rope.positive_or("beta_slow", 1);
  config.rope_truncate = rope.truth("truncate", true);
  config.rope_original_positions = rope.whole("original_max_position_embeddings", 1, kMostPositions);
  for (const char* other : {"mscale", "mscale_all_dim"}) {
    if (rope.has(other)) throw rope.bad(other, "is set; this engine has YaRN without it");
  }
  config.rope_attention_factor = rope.positive_or(
      "attention_factor", config.rope_factor > 1 ? 0.1 * std::log(config.rope_factor) + 1 : 1);
  if (config.rope_theta <= 1) throw rope.bad("rope_theta", "is not above 1, as YaRN needs it");
}

void read_llama3(const ConfigFields& rope, ModelConfig& config, const char* name) {
  config.rope_scaling = RopeScaling::llama3;
  config.rope_factor = rope.positive("factor");
  config.rope_low_freq_factor = rope.positive("low_freq_factor");
  config.rope_high_freq_factor = rope.positive("high_freq_factor");
  config.rope_original_positions = rope.whole("original_max_position_embeddings", 1, kMostPositions);
  if (config.rope_high_freq_factor <= config.rope_low_freq_factor) {
    throw rope.bad(name, "has a high_freq_factor that is not above its low_freq_factor");
  }
}

/// transformers 5 writes rope_theta and the scaling into "rope_parameters", earlier releases beside and into
/// "rope_scaling".
void read_rope(const ConfigFields& fields, double default_theta, ModelConfig& config) {
  const auto whole_heads = [](const ConfigFields& of) {
    if (of.positive_or("partial_rotary_factor", 1) != 1)
      throw of.bad("partial_rotary_factor", "is not 1; this engine turns whole heads");
  };
  config.rope_theta = fields.positive_or("rope_theta", default_theta);
  whole_heads(fields);
  const char* const name = fields.has("rope_parameters") ? "rope_parameters" : "rope_scaling";
  if (!fields.has(name)) {
    // transformers would take a YaRN of its own choice.
    if (config.family == Family::gpt_oss) throw fields.bad(name, "is missing");
    return;
  }
  const ConfigFields rope = fields.object(name);
  config.rope_theta = rope.positive_or("rope_theta", config.rope_theta);
  whole_heads(rope);
  const std::string type = rope.has("rope_type") ? rope.text("rope_type") : rope.text_or("type", "default");
  if (type == "default") return;
  if (type == "llama3") return read_llama3(rope, config, name);
  if (type == "yarn") return read_yarn(rope, config);
  // Phi-3's 128k models call it longrope, or su in their first files.
  throw fields.bad(name, fmt::format("has the type '{}'; this engine knows default, llama3 and yarn", type));
}

void read_window(const ConfigFields& fields, ModelConfig& config) {
  // Qwen2 carries a window that use_sliding_window switches on, from layer max_window_layers upwards.
  if (config.family == Family::qwen2 && !fields.truth("use_sliding_window", false)) return;
  if (config.family == Family::llama || config.family == Family::gemma || !fields.has("sliding_window"))
    return;
  config.sliding_window = fields.whole("sliding_window", 1, kMostPositions);
  if (config.family == Family::qwen2) {
    config.first_window_layer = static_cast<int>(fields.whole_or("max_window_layers", 0, 0));
  }
  if (config.family != Family::gpt_oss) return;
  config.window_period = 2;
  if (!fields.has("layer_types")) return;
  const Json& types = fields.at("layer_types");
  bool alternating = types.is_array() && types.size() == static_cast<std::size_t>(config.layers);
  for (std::size_t i = 0; alternating && i < types.size(); ++i)
    alternating = types[i] == (i % 2 == 0 ? "sliding_attention" : "full_attention");
  if (!alternating)
    throw fields.bad("layer_types", "does not alternate between sliding_attention and full_attention");
}

void read_attention(const ConfigFields& fields, ModelConfig& config) {
  config.heads = static_cast<int>(fields.whole("num_attention_heads", 1));
  config.kv_heads = static_cast<int>(fields.whole_or("num_key_value_heads", config.heads, 1));
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
  const bool biases = fields.truth("attention_bias", config.family == Family::gpt_oss);
  if (biases && config.family != Family::gpt_oss && config.family != Family::qwen2) {
    throw fields.bad("attention_bias",
                     fmt::format("is set; this engine has {} without biases", to_string(config.family)));
  }
  config.qkv_bias = biases || config.family == Family::qwen2;
  config.output_bias = config.family == Family::gpt_oss && biases;
  config.attention_sinks = config.family == Family::gpt_oss;
  for (const char* capping : {"attn_logit_softcapping", "final_logit_softcapping"}) {
    if (fields.has(capping)) throw fields.bad(capping, "is set; this engine caps no logits");
  }
}

void read_feed_forward(const ConfigFields& fields, ModelConfig& config) {
  config.intermediate = static_cast<int>(fields.whole("intermediate_size", 1));
  if (config.family == Family::mixtral || config.family == Family::gpt_oss) {
    config.experts = static_cast<int>(fields.whole("num_local_experts", 1, 1024));
    config.experts_per_token = static_cast<int>(fields.whole(
        fields.has("num_experts_per_tok") ? "num_experts_per_tok" : "experts_per_token", 1, config.experts));
  }
  if (fields.truth("mlp_bias", false)) throw fields.bad("mlp_bias", "is set; this engine has no such biases");
  const std::string activation = fields.text_or("hidden_act", "silu");
  if (config.family == Family::gemma) {
    // Gemma's first files say "gelu" and mean the tanh form, as transformers does.
    config.activation = Activation::gelu_tanh;
    for (const char* name : {"hidden_act", "hidden_activation"}) {
      const std::string word = fields.text_or(name, "gelu_pytorch_tanh");
      if (word != "gelu_pytorch_tanh" && (word != "gelu" || name == std::string_view("hidden_activation")))
        throw fields.bad(name, fmt::format("is '{}'; this engine has gemma with gelu_pytorch_tanh", word));
    }
    return;
  }
  if (activation != "silu")
    throw fields.bad("hidden_act", fmt::format("is '{}'; this engine has {} with silu", activation,
                                               to_string(config.family)));
  if (config.family != Family::gpt_oss) return;
  config.activation = Activation::swiglu_clamped;
  if (fields.has("swiglu_alpha") &&
      static_cast<float>(fields.positive("swiglu_alpha")) != kClampedSwigluAlpha)
    throw fields.bad("swiglu_alpha", fmt::format("is not {}", kClampedSwigluAlpha));
  config.activation_limit = static_cast<float>(fields.positive_or("swiglu_limit", 7));
  config.router_bias = config.mlp_bias = true;
}

}  // namespace

std::string_view to_string(Family family) {
  for (const FamilyDefaults& known : kFamilies) {
    if (known.family == family) return known.model_type;
  }
  return "unknown";
}

ModelConfig parse_model_config(std::string_view text, std::string_view where) {
  const Json json = Json::parse(text.begin(), text.end(), nullptr, false);
  if (json.is_discarded() || !json.is_object()) throw UsageError(fmt::format("{}: is no JSON object", where));
  const ConfigFields fields(json, where);
  const FamilyDefaults& defaults = defaults_of(fields);
  ModelConfig config;
  config.family = defaults.family;
  config.name = where;
  config.layers = static_cast<int>(fields.whole("num_hidden_layers", 1));
  config.hidden = static_cast<int>(fields.whole("hidden_size", 1));
  config.vocab = static_cast<int>(fields.whole("vocab_size", 2, std::int64_t{1} << 24));
  config.max_positions = fields.whole_or("max_position_embeddings", 2048, 1, kMostPositions);
  config.norm_eps = fields.positive_or("rms_norm_eps", defaults.norm_eps);
  config.tied_embeddings = fields.truth("tie_word_embeddings", defaults.tied_embeddings);
  if (config.family == Family::gemma) {
    config.norm_offset = 1;
    config.embedding_scale = to_float(to_bf16(std::sqrt(static_cast<float>(config.hidden))));
  }
  read_attention(fields, config);
  read_feed_forward(fields, config);
  const double largest = std::max({config.hidden, config.intermediate, config.heads * config.head_dim});
  if (4.0 * config.layers * config.experts_or_one() * largest * largest > kMostParameters)
    throw fields.bad("num_hidden_layers", "and the other sizes make a model beyond all bounds");
  read_rope(fields, defaults.rope_theta, config);
  read_window(fields, config);
  set_weight_format(config, read_quantization(fields));
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
