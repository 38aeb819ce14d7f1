#pragma once
// The memory behind the KV blocks on the host.

#include <cstdint>

#include "kernels/host/buffer.hpp"
#include "kernels/inference/host/host_engine.hpp"

namespace sparkmpi::kernels::inference {

/// [layer][block][kv head][keys, values][token][width] in BF16: a block of one head is one contiguous read of
/// keys and one of values.
class KvPool {
 public:
  KvPool(const ModelConfig& config, const HostEngineOptions& options, host::ThreadTeam& team);

  static std::uint64_t block_bytes(const ModelConfig& config, int block_tokens);

  int block_tokens() const { return block_tokens_; }
  std::size_t width() const { return width_; }
  Bf16* keys(int layer, std::int32_t block, std::size_t kv_head) const;
  Bf16* values(int layer, std::int32_t block, std::size_t kv_head) const;

 private:
  int block_tokens_;
  std::size_t width_, kv_heads_, blocks_;
  host::Buffer memory_;
};

}  // namespace sparkmpi::kernels::inference
