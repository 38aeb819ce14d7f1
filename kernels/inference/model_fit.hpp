#pragma once
// Whether a model fits a memory, and in which format.

#include <cstdint>
#include <optional>
#include <string>

#include "kernels/inference/model_config.hpp"

namespace sparkmpi::kernels::inference {

struct ModelFit {
  ModelConfig config;          ///< with the format it fits in
  std::uint64_t weights = 0;   ///< bytes
  std::int64_t kv_tokens = 0;  ///< that the rest of the memory holds, 16-bit elements
};

/// The model as its configuration says; where that leaves no room for kLeastKvTokens of KV cache, in the
/// widest of the narrower formats (fp8, awq, mxfp4) that does, with synthetic weights. Nothing when none
/// does.
std::optional<ModelFit> widest_fit(const ModelConfig& config, std::uint64_t memory_bytes);
inline constexpr std::int64_t kLeastKvTokens = 512;

/// "bf16, 43210 tokens", or the sum that shows why not: "no: 37.1 GiB of weights in awq, 23.5 GiB
/// of memory".
std::string describe_fit(const ModelConfig& config, std::uint64_t memory_bytes);

}  // namespace sparkmpi::kernels::inference
