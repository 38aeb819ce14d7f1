#include "kernels/inference/model_fit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace sparkmpi::kernels::inference {
namespace {

/// The configuration as it is, then in each narrower format that its shape allows, widest first.
std::vector<ModelConfig> candidates(const ModelConfig& config) {
  std::vector<ModelConfig> all = {config};
  for (const WeightFormat format : {WeightFormat::fp8_e4m3, WeightFormat::int4_awq, WeightFormat::mxfp4}) {
    ModelConfig narrower = config;
    try {
      set_weight_format(narrower, format);
    } catch (const UsageError&) {
      continue;  // its groups don't divide the rows
    }
    if (narrower.weight_bytes() < config.weight_bytes()) all.push_back(narrower);
  }
  std::ranges::sort(all, std::greater<>(), &ModelConfig::weight_bytes);
  return all;
}

}  // namespace

std::optional<ModelFit> widest_fit(const ModelConfig& config, std::uint64_t memory_bytes) {
  for (const ModelConfig& candidate : candidates(config)) {
    const std::uint64_t weights = candidate.weight_bytes();
    if (weights >= memory_bytes) continue;
    const auto tokens = static_cast<std::int64_t>((memory_bytes - weights) / candidate.kv_bytes_per_token());
    if (tokens >= kLeastKvTokens) return ModelFit{candidate, weights, tokens};
  }
  return std::nullopt;
}

std::string describe_fit(const ModelConfig& config, std::uint64_t memory_bytes) {
  if (const auto fit = widest_fit(config, memory_bytes))
    return fmt::format("{}, {} tokens", precision_of(fit->config), fit->kv_tokens);
  const ModelConfig narrowest = candidates(config).back();
  return fmt::format("no: {} of weights in {}, {} of memory",
                     format_bytes(static_cast<double>(narrowest.weight_bytes())), precision_of(narrowest),
                     format_bytes(static_cast<double>(memory_bytes)));
}

}  // namespace sparkmpi::kernels::inference
