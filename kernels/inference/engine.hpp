#pragma once
// The transformer as the scheduler sees it: one forward step over slices of sequences. Host and CUDA
// implement it.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "base/attributes.hpp"
#include "kernels/inference/kv_cache.hpp"
#include "kernels/inference/model_config.hpp"

namespace sparkmpi::kernels::inference {

/// The tokens one sequence brings to a step: one when decoding, up to the whole prompt when prefilling. The
/// step appends their keys and values to the sequence's KV blocks, which the caller has reserved
/// (KvCache::reserve).
struct SequenceSlice {
  int sequence = 0;                      ///< handle from KvCache::open
  std::span<const std::int32_t> tokens;  ///< at least one, each in [0, vocab_size)
};

/// What a step has to read at least, by docs/metrics.md: weights without the input embedding and without
/// experts, and the KV of every slice.
struct StepBytes {
  std::uint64_t weights = 0;
  std::uint64_t kv = 0;
};

class Engine {
 public:
  virtual ~Engine() = default;
  virtual const ModelConfig& config() const = 0;
  virtual KvCache& kv() = 0;

  /// Runs one step. `next` gets, for each slice, the arg-max token after its last one (ties: the lowest id).
  /// @param logits null, or room for batch.size() × vocab_size floats: the logits after each slice's last
  /// token.
  virtual void step(std::span<const SequenceSlice> batch, std::span<std::int32_t> next,
                    float* logits = nullptr) = 0;

  /// From the next step on sends tokens to the experts that PrescribedRouting names for this shift instead of
  /// to those that the router chooses; nothing: to the router's again. All members of a group do the same.
  /// Dense models have no choice and ignore it.
  virtual void prescribe_experts(std::optional<int> shift) = 0;

  /// The bound behind MBU, for a step over these slices as the cache stands before the step.
  virtual StepBytes step_bytes(std::span<const SequenceSlice> batch) const = 0;

  /// Bytes of the distinct experts, all layers together, to which the last step routed its tokens: what
  /// step_bytes could not know beforehand. 0 for dense models.
  virtual std::uint64_t last_step_expert_bytes() const { return 0; }

  /// What the result file is to say of how it computes.
  virtual Attributes facts() const { return {}; }
};

}  // namespace sparkmpi::kernels::inference
