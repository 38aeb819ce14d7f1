// What a shape comes to in parameters and bytes.
#include <fmt/format.h>

#include "base/error.hpp"
#include "kernels/inference/model_config.hpp"

namespace sparkmpi::kernels::inference {
namespace {

std::uint64_t wide(int value) {
  return static_cast<std::uint64_t>(value);
}

/// Sums over a model's tensors; `matrix` says what a matrix counts, `element` what each of all other numbers
/// does.
struct Count {
  std::uint64_t (*matrix)(WeightFormat format, std::uint64_t rows, std::uint64_t columns);
  std::uint64_t element;
};
constexpr Count kElements = {
    [](WeightFormat, std::uint64_t rows, std::uint64_t columns) { return rows * columns; }, 1};
constexpr Count kBytes = {[](WeightFormat format, std::uint64_t rows, std::uint64_t columns) {
                            return rows * static_cast<std::uint64_t>(row_bytes(format, columns).all());
                          },
                          2};

std::uint64_t of_expert(const ModelConfig& config, const Count& count) {
  const std::uint64_t hidden = wide(config.hidden), inter = wide(config.intermediate);
  return 2 * count.matrix(config.mlp_format, inter, hidden) + count.matrix(config.mlp_format, hidden, inter) +
         (config.mlp_bias ? (2 * inter + hidden) * count.element : 0);
}

std::uint64_t read_per_step(const ModelConfig& config, int experts, const Count& count) {
  const std::uint64_t hidden = wide(config.hidden), query = wide(config.heads) * wide(config.head_dim),
                      key = wide(config.kv_heads) * wide(config.head_dim);
  const WeightFormat format = config.attention_format;
  std::uint64_t layer = count.matrix(format, query, hidden) + 2 * count.matrix(format, key, hidden) +
                        count.matrix(format, hidden, query);
  std::uint64_t others = 2 * hidden;  // norms
  if (config.qkv_bias) others += query + 2 * key;
  if (config.output_bias) others += hidden;
  if (config.attention_sinks) others += wide(config.heads);
  if (config.experts > 0) {
    others += wide(config.experts) * hidden;
    if (config.router_bias) others += wide(config.experts);
  }
  layer += others * count.element + wide(config.experts > 0 ? experts : 1) * of_expert(config, count);
  return wide(config.layers) * layer + (1 + wide(config.vocab)) * hidden * count.element;
}

std::uint64_t all(const ModelConfig& config, const Count& count) {
  return read_per_step(config, config.experts, count) +
         (config.tied_embeddings ? 0 : wide(config.vocab) * wide(config.hidden) * count.element);
}

}  // namespace

std::uint64_t ModelConfig::kv_bytes_per_token() const {
  return 2 * wide(layers) * wide(kv_heads) * wide(head_dim) * 2;
}

std::uint64_t ModelConfig::parameters() const {
  return all(*this, kElements);
}

std::uint64_t ModelConfig::parameters_read_per_step(int distinct_experts) const {
  return read_per_step(*this, distinct_experts, kElements);
}

std::uint64_t ModelConfig::weight_bytes() const {
  return all(*this, kBytes);
}

std::uint64_t ModelConfig::weight_bytes_read_per_step(int distinct_experts) const {
  return read_per_step(*this, distinct_experts, kBytes);
}

std::uint64_t ModelConfig::expert_bytes() const {
  return experts > 0 ? of_expert(*this, kBytes) : 0;
}

void set_weight_format(ModelConfig& config, WeightFormat format) {
  config.mlp_format = format;
  config.attention_format = format == WeightFormat::mxfp4 && config.experts > 0 ? WeightFormat::bf16 : format;
  const auto check = [&](WeightFormat of_layers, const char* name, int columns) {
    const auto group = static_cast<int>(group_columns(of_layers));
    if (group != 0 && columns % group != 0) {
      throw UsageError(fmt::format("{}: {} shares scales between {} columns, and {} is {}", config.name,
                                   to_string(of_layers), group, name, columns));
    }
  };
  check(config.attention_format, "hidden_size", config.hidden);
  check(config.attention_format, "num_attention_heads · head_dim", config.heads * config.head_dim);
  check(config.mlp_format, "hidden_size", config.hidden);
  check(config.mlp_format, "intermediate_size", config.intermediate);
}

std::string_view precision_of(const ModelConfig& config) {
  return to_string(config.mlp_format);
}

}  // namespace sparkmpi::kernels::inference
