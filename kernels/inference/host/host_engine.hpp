#pragma once
// The transformer on the host's own cores.

#include <memory>

#include "kernels/communicator.hpp"
#include "kernels/host/cpu_features.hpp"
#include "kernels/host/thread_team.hpp"
#include "kernels/inference/engine.hpp"
#include "kernels/inference/weights.hpp"

namespace sparkmpi::kernels::inference {

struct HostEngineOptions {
  std::int64_t kv_blocks = 1;
  int block_tokens = 16;
  host::Simd simd = host::best_simd();
  /// The members that the model is divided between; outlives the engine. Null or of one: not divided.
  Group* group = nullptr;
};

/// Keys and values of one block of tokens, all layers: what a block of the pool costs. Heads are padded to 32
/// elements.
std::uint64_t kv_block_bytes(const ModelConfig& config, int block_tokens);

/// @param weights and team outlive the engine. Throws Error when the weights are not those of options.group's
/// member. Every step is then collective over the group. The KV pool is allocated and touched here, spread
/// over the team's NUMA nodes. Arithmetic: BF16 weights and KV cache, everything else in single precision.
std::unique_ptr<Engine> make_host_engine(const Weights& weights, host::ThreadTeam& team,
                                         const HostEngineOptions& options);

}  // namespace sparkmpi::kernels::inference
