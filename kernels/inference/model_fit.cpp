#include "kernels/inference/model_fit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <ranges>
#include <utility>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "kernels/inference/model_shard.hpp"

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

/// Those of the candidates that can be divided, with what the members then need; the first has to be.
std::vector<std::pair<ModelConfig, std::vector<MemberNeeds>>> divided_candidates(const ModelConfig& config,
                                                                                 int members) {
  std::vector<std::pair<ModelConfig, std::vector<MemberNeeds>>> divided = {
      {config, needs_of_members(config, members)}};
  for (const ModelConfig& narrower : candidates(config) | std::views::drop(1)) {
    try {
      divided.emplace_back(narrower, needs_of_members(narrower, members));
    } catch (const UsageError&) {
      continue;  // a cut would divide its groups
    }
  }
  return divided;
}

/// Tokens of KV cache beside a member's weights.
std::int64_t tokens_beside(const MemberNeeds& member, std::uint64_t memory_bytes) {
  if (member.weights >= memory_bytes) return 0;
  return static_cast<std::int64_t>((memory_bytes - member.weights) / member.kv_bytes_per_token);
}

}  // namespace

std::vector<MemberNeeds> needs_of_members(const ModelConfig& config, int members) {
  std::vector<MemberNeeds> needs;
  for (int rank = 0; rank < std::max(1, members); ++rank) {
    const ModelShard shard = shard_model(config, {rank, members});
    needs.push_back({shard.weight_bytes, shard.local.kv_bytes_per_token()});
  }
  return needs;
}

MemberNeeds largest_needs(const std::vector<MemberNeeds>& members) {
  return {std::ranges::max(members, {}, &MemberNeeds::weights).weights,
          std::ranges::max(members, {}, &MemberNeeds::kv_bytes_per_token).kv_bytes_per_token};
}

std::optional<ModelFit> widest_fit(const ModelConfig& config, std::uint64_t memory_bytes, int members) {
  for (const auto& [candidate, needs] : divided_candidates(config, members)) {
    std::int64_t tokens = std::numeric_limits<std::int64_t>::max();
    for (const MemberNeeds& member : needs) tokens = std::min(tokens, tokens_beside(member, memory_bytes));
    if (tokens >= kLeastKvTokens) return ModelFit{candidate, largest_needs(needs).weights, tokens};
  }
  return std::nullopt;
}

std::optional<Division> fewest_members(const ModelConfig& config, std::uint64_t memory_bytes) {
  // With fewer, the narrowest format's weights alone are more than all their memory.
  const std::uint64_t least =
      candidates(config).back().weight_bytes() / std::max<std::uint64_t>(1, memory_bytes);
  for (int members = static_cast<int>(std::clamp<std::uint64_t>(least, 2, 1U << 30U));
       members <= config.heads; ++members) {
    try {
      if (const auto fit = widest_fit(config, memory_bytes, members)) return Division{members, *fit};
    } catch (const UsageError&) {
      continue;  // divided between more it may be
    }
  }
  return std::nullopt;
}

std::string describe_fit(const ModelConfig& config, std::uint64_t memory_bytes, int members) {
  if (const auto fit = widest_fit(config, memory_bytes, members))
    return fmt::format("{}, {} tokens", precision_of(fit->config), fit->kv_tokens);
  const auto [narrowest, needs] = divided_candidates(config, members).back();
  std::string text = fmt::format("no: {} of weights in {}, {} of memory",
                                 format_bytes(static_cast<double>(largest_needs(needs).weights)),
                                 precision_of(narrowest), format_bytes(static_cast<double>(memory_bytes)));
  if (const auto more = fewest_members(config, memory_bytes))
    text += fmt::format("; in {} with --tp {}", precision_of(more->fit.config), more->members);
  return text;
}

}  // namespace sparkmpi::kernels::inference
