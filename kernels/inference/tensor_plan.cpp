#include "kernels/inference/tensor_plan.hpp"

#include <fmt/format.h>

#include <cmath>

namespace sparkmpi::kernels::inference {
namespace {

std::size_t wide(int value) {
  return static_cast<std::size_t>(value);
}

class Planner {
 public:
  explicit Planner(const ModelConfig& config) : config_(config) {}

  std::vector<PlannedTensor> plan() {
    matrix(TensorRole::embedding, "model.embed_tokens.weight", wide(config_.vocab), hidden_);
    for (layer_ = 0; layer_ < config_.layers; ++layer_) {
      prefix_ = fmt::format("model.layers.{}.", layer_);
      attention();
      feed_forward();
    }
    layer_ = -1;
    norm(TensorRole::final_norm, "model.norm.weight");
    if (!config_.tied_embeddings) matrix(TensorRole::lm_head, "lm_head.weight", wide(config_.vocab), hidden_);
    return std::move(plan_);
  }

 private:
  PlannedTensor& add(TensorRole role, const std::string& name, std::size_t rows, std::size_t columns) {
    PlannedTensor& tensor = plan_.emplace_back();
    tensor.role = role;
    tensor.layer = layer_;
    tensor.name = name;
    tensor.rows = rows;
    tensor.columns = columns;
    tensor.sources = {{.name = name, .rows = rows}};
    return tensor;
  }
  PlannedTensor& matrix(TensorRole role, const std::string& name, std::size_t rows, std::size_t columns,
                        WeightFormat format = WeightFormat::bf16) {
    PlannedTensor& tensor = add(role, name, rows, columns);
    tensor.format = format;
    tensor.fan_in = columns;
    return tensor;
  }
  /// Biases and sinks.
  PlannedTensor& vector(TensorRole role, const std::string& name, std::size_t rows) {
    PlannedTensor& tensor = add(role, name, rows, 0);
    tensor.gain = 0.1;
    tensor.fan_in = 3;
    return tensor;
  }
  void norm(TensorRole role, const std::string& name) {
    add(role, name, hidden_, 0).constant = 1 - config_.norm_offset;
  }

  void attention() {
    const std::string part = prefix_ + "self_attn.";
    const std::size_t query = wide(config_.heads * config_.head_dim),
                      key = wide(config_.kv_heads * config_.head_dim);
    norm(TensorRole::attention_norm, prefix_ + "input_layernorm.weight");
    const auto project = [&](TensorRole role, const char* name, std::size_t rows, std::size_t first_row) {
      PlannedTensor& tensor = matrix(role, part + name, rows, hidden_, config_.attention_format);
      if (config_.family == Family::phi3) {
        tensor.sources = {
            {.name = part + "qkv_proj.weight", .rows = query + 2 * key, .first_row = first_row}};
      }
    };
    project(TensorRole::query, "q_proj.weight", query, 0);
    project(TensorRole::key, "k_proj.weight", key, query);
    project(TensorRole::value, "v_proj.weight", key, query + key);
    if (config_.qkv_bias) {
      vector(TensorRole::query_bias, part + "q_proj.bias", query);
      vector(TensorRole::key_bias, part + "k_proj.bias", key);
      vector(TensorRole::value_bias, part + "v_proj.bias", key);
    }
    if (config_.attention_sinks) vector(TensorRole::sinks, part + "sinks", wide(config_.heads));
    matrix(TensorRole::output, part + "o_proj.weight", hidden_, query, config_.attention_format).gain =
        residual_gain_;
    if (config_.output_bias) vector(TensorRole::output_bias, part + "o_proj.bias", hidden_);
  }

  void feed_forward() {
    norm(TensorRole::mlp_norm, prefix_ + "post_attention_layernorm.weight");
    if (config_.experts > 0) router();
    for (int expert = 0; expert < config_.experts_or_one(); ++expert) {
      const std::string part =
          config_.experts > 0 ? fmt::format("{}mlp.experts.{}.", prefix_, expert) : prefix_ + "mlp.";
      const std::size_t first = plan_.size();
      matrix(TensorRole::gate, part + "gate_proj.weight", inter_, hidden_, config_.mlp_format);
      matrix(TensorRole::up, part + "up_proj.weight", inter_, hidden_, config_.mlp_format);
      if (config_.mlp_bias) {
        vector(TensorRole::gate_bias, part + "gate_proj.bias", inter_);
        vector(TensorRole::up_bias, part + "up_proj.bias", inter_);
      }
      matrix(TensorRole::down, part + "down_proj.weight", hidden_, inter_, config_.mlp_format).gain =
          residual_gain_;
      if (config_.mlp_bias) vector(TensorRole::down_bias, part + "down_proj.bias", hidden_);
      for (std::size_t i = first; i < plan_.size(); ++i) {
        if (config_.experts > 0) plan_[i].expert = expert;
        if (const auto sources = spelling(plan_[i]); !sources.empty()) plan_[i].sources = sources;
      }
    }
  }

  void router() {
    const bool gpt_oss = config_.family == Family::gpt_oss;
    const std::string name = prefix_ + (gpt_oss ? "mlp.router" : "mlp.gate");
    PlannedTensor& tensor = matrix(TensorRole::router, name + ".weight", wide(config_.experts), hidden_);
    if (config_.family == Family::mixtral) {
      tensor.sources.insert(tensor.sources.begin(),
                            {.name = prefix_ + "block_sparse_moe.gate.weight", .rows = tensor.rows});
    }
    if (config_.router_bias) vector(TensorRole::router_bias, name + ".bias", wide(config_.experts));
  }

  /// The names that a family has for a tensor of its feed-forward part, where they are not Llama's.
  std::vector<TensorSource> spelling(const PlannedTensor& tensor) const {
    const TensorRole role = tensor.role;
    const bool down = role == TensorRole::down || role == TensorRole::down_bias;
    const bool second = role == TensorRole::up || role == TensorRole::up_bias;
    if (config_.family == Family::phi3 && !down) {
      return {{.name = prefix_ + "mlp.gate_up_proj.weight",
               .rows = 2 * inter_,
               .first_row = second ? inter_ : 0}};
    }
    if (config_.family != Family::mixtral && config_.family != Family::gpt_oss) return {};
    TensorSource fused{.name = prefix_ + (down ? "mlp.experts.down_proj" : "mlp.experts.gate_up_proj"),
                       .rows = down ? hidden_ : 2 * inter_,
                       .expert = tensor.expert,
                       .experts = config_.experts};
    if (config_.family == Family::gpt_oss) {
      if (tensor.is_vector()) fused.name += "_bias";
      fused.transposed = !tensor.is_vector() && tensor.format == WeightFormat::bf16;
      if (!down) {
        fused.first_row = second ? 1 : 0;
        fused.row_step = 2;
      }
      return {fused};
    }
    // Mixtral's own files have one tensor for each expert; transformers 5 holds them fused.
    if (second) fused.first_row = inter_;
    return {{.name = fmt::format("{}block_sparse_moe.experts.{}.{}.weight", prefix_, tensor.expert,
                                 down     ? "w2"
                                 : second ? "w3"
                                          : "w1"),
             .rows = tensor.rows},
            fused};
  }

  const ModelConfig& config_;
  const std::size_t hidden_ = wide(config_.hidden), inter_ = wide(config_.intermediate);
  const double residual_gain_ = 1 / std::sqrt(2.0 * config_.layers);
  int layer_ = -1;
  std::string prefix_;
  std::vector<PlannedTensor> plan_;
};

}  // namespace

std::vector<PlannedTensor> tensor_plan(const ModelConfig& config) {
  return Planner(config).plan();
}

}  // namespace sparkmpi::kernels::inference
