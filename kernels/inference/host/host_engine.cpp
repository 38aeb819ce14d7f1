#include "kernels/inference/host/host_engine.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "kernels/inference/host/forward.hpp"
#include "kernels/inference/host/kv_pool.hpp"
#include "kernels/inference/step_bytes.hpp"

namespace sparkmpi::kernels::inference {
namespace {

class HostEngine final : public Engine {
 public:
  HostEngine(const Weights& weights, host::ThreadTeam& team, const HostEngineOptions& options)
      : weights_(weights),
        cache_(options.kv_blocks, options.block_tokens),
        pool_(weights.config(), options, team),
        forward_(weights, team, math_ops_for(options.simd), group_of(weights, options)) {}

  const ModelConfig& config() const override { return weights_.config(); }
  KvCache& kv() override { return cache_; }

  void step(std::span<const SequenceSlice> batch, std::span<std::int32_t> next, float* logits) override {
    forward_.run(batch, cache_, pool_, next, logits);
    for (const SequenceSlice& slice : batch)
      cache_.append(slice.sequence, static_cast<std::int64_t>(slice.tokens.size()));
  }

  void prescribe_experts(std::optional<int> shift) override { forward_.prescribe_experts(shift); }

  StepBytes step_bytes(std::span<const SequenceSlice> batch) const override {
    return inference::step_bytes(config(), weights_.bytes_read_per_step(0), cache_, batch, sizeof(Bf16));
  }

  std::uint64_t last_step_expert_bytes() const override {
    return forward_.routed_experts() * weights_.expert_bytes();
  }

 private:
  Group& group_of(const Weights& weights, const HostEngineOptions& options) {
    Group& group = options.group == nullptr ? alone_ : *options.group;
    const Shard& member = weights.shard().member;
    if (group.rank() != member.rank || group.size() != member.size)
      throw Error(fmt::format("weights of member {} of {} in a group's member {} of {}", member.rank,
                              member.size, group.rank(), group.size()));
    return group;
  }

  const Weights& weights_;
  SoloGroup alone_;
  KvCache cache_;
  KvPool pool_;
  Forward forward_;
};

}  // namespace

std::uint64_t kv_block_bytes(const ModelConfig& config, int block_tokens) {
  return KvPool::block_bytes(config, block_tokens);
}

std::unique_ptr<Engine> make_host_engine(const Weights& weights, host::ThreadTeam& team,
                                         const HostEngineOptions& options) {
  return std::make_unique<HostEngine>(weights, team, options);
}

}  // namespace sparkmpi::kernels::inference
