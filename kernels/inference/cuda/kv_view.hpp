#pragma once
// The device's KV cache and block tables as kernels see them.

#include <cstddef>
#include <cstdint>

#include "kernels/inference/kv_type.hpp"

namespace sparkmpi::kernels::inference::gpu {

inline constexpr int kKvTile = kDeviceKvTile;

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
