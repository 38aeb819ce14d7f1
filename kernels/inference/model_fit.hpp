#pragma once
// Whether a model fits a memory, in which format, and divided between how many.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kernels/inference/model_config.hpp"

namespace sparkmpi::kernels::inference {

/// What one member of a tensor-parallel group has to hold (kernels/inference/model_shard.hpp).
struct MemberNeeds {
  std::uint64_t weights = 0;             ///< bytes
  std::uint64_t kv_bytes_per_token = 0;  ///< 16-bit elements
};

/// For each of `members` ranks that a model is divided between. Throws UsageError as shard_model does where
/// it cannot be.
std::vector<MemberNeeds> needs_of_members(const ModelConfig& config, int members);
/// The most that any of them holds, of weights and of keys and values.
MemberNeeds largest_needs(const std::vector<MemberNeeds>& members);

struct ModelFit {
  ModelConfig config;          ///< with the format it fits in
  std::uint64_t weights = 0;   ///< bytes, on the member that has most
  std::int64_t kv_tokens = 0;  ///< that the rest of every member's memory holds, 16-bit elements
};

/// The model as its configuration says; where that leaves no room for kLeastKvTokens of KV cache, in the
/// widest of the narrower formats (fp8, awq, mxfp4) that does, with synthetic weights. Nothing when none
/// does.
/// @param memory_bytes of each member.
/// @param members that the model is divided between. A narrower format that cannot be divided between them is
/// left out; throws UsageError where the model as its configuration says cannot be.
std::optional<ModelFit> widest_fit(const ModelConfig& config, std::uint64_t memory_bytes, int members = 1);
inline constexpr std::int64_t kLeastKvTokens = 512;

struct Division {
  int members;
  ModelFit fit;
};

/// The least number of members, at least 2, of `memory_bytes` each, between which the model can be divided so
/// that it fits in some format, and that fit. Nothing where it fits none.
std::optional<Division> fewest_members(const ModelConfig& config, std::uint64_t memory_bytes);

/// "bf16, 43210 tokens", or the sum that shows why not and what would help: "no: 37.1 GiB of weights in awq,
/// 23.5 GiB of memory; in awq with --tp 2". Throws UsageError as widest_fit does.
std::string describe_fit(const ModelConfig& config, std::uint64_t memory_bytes, int members = 1);

}  // namespace sparkmpi::kernels::inference
