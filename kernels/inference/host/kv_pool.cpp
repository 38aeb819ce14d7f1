#include "kernels/inference/host/kv_pool.hpp"

#include <algorithm>
#include <cstring>

namespace sparkmpi::kernels::inference {

KvPool::KvPool(const ModelConfig& config, const HostEngineOptions& options, host::ThreadTeam& team)
    : block_tokens_(options.block_tokens),
      width_(padded(static_cast<std::size_t>(config.head_dim))),
      kv_heads_(static_cast<std::size_t>(config.kv_heads)),
      blocks_(static_cast<std::size_t>(options.kv_blocks)),
      memory_(static_cast<std::size_t>(block_bytes(config, options.block_tokens)) * blocks_) {
  // Touched now, so that the ledgers see the cache when it is allocated and not when tokens happen to come.
  constexpr std::size_t kPage = 4096;
  team.run([&](int worker) {
    const host::Slice slice = host::slice_of(memory_.size(), worker, team.size(), kPage);
    std::memset(memory_.data() + slice.begin, 0, slice.end - slice.begin);
  });
}

std::uint64_t KvPool::block_bytes(const ModelConfig& config, int block_tokens) {
  return static_cast<std::uint64_t>(config.layers) * static_cast<std::uint64_t>(config.kv_heads) * 2 *
         static_cast<std::uint64_t>(block_tokens) * padded(static_cast<std::size_t>(config.head_dim)) *
         sizeof(Bf16);
}

Bf16* KvPool::keys(int layer, std::int32_t block, std::size_t kv_head) const {
  const std::size_t of_head = 2 * static_cast<std::size_t>(block_tokens_) * width_;
  const std::size_t index =
      (static_cast<std::size_t>(layer) * blocks_ + static_cast<std::size_t>(block)) * kv_heads_ + kv_head;
  return memory_.as<Bf16>().data() + index * of_head;
}

Bf16* KvPool::values(int layer, std::int32_t block, std::size_t kv_head) const {
  return keys(layer, block, kv_head) + static_cast<std::size_t>(block_tokens_) * width_;
}

}  // namespace sparkmpi::kernels::inference
