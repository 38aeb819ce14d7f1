#pragma once
// The device's KV cache and block tables as kernels see them.

#include <cstddef>
#include <cstdint>

namespace sparkmpi::kernels::inference::gpu {

enum class KvType : std::uint8_t {
  bf16,
  fp8_e4m3,  ///< scale 1, what is beyond ±448 saturates
};
constexpr std::size_t element_bytes(KvType type) {
  return type == KvType::bf16 ? 2 : 1;
}

/// Tokens that a warp takes at a time: KV blocks are multiples of it.
inline constexpr int kKvTile = 16;

/// Elements of a token's head in the cache: the head's own, padded with zeros to a width that kernels are built for. 0 when
/// the head is larger than the largest.
constexpr int kv_width(int head_dim) {
  for (const int width : {32, 64, 96, 128, 256}) {
    if (head_dim <= width) return width;
  }
  return 0;
}

/// One layer of the pool: [block][kv head][keys, values][token][width].
struct KvLayer {
  std::byte* data = nullptr;
  KvType type = KvType::bf16;
  int block_tokens = 0, kv_heads = 0, width = 0;
};

/// A step's tokens. Tables: row r holds the blocks of sequence r in order.
struct StepTokens {
  const std::int32_t* positions = nullptr;  ///< [tokens] within its sequence
  const std::int32_t* rows = nullptr;       ///< [tokens] its row of the tables
  const std::int32_t* tables = nullptr;
  int table_stride = 0;
};

}  // namespace sparkmpi::kernels::inference::gpu
