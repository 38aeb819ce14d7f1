#pragma once
// What keys and values are stored as.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sparkmpi::kernels::inference {

enum class KvType : std::uint8_t {
  bf16,
  fp8_e4m3,  ///< scale 1; what is beyond ±448 saturates
};
constexpr std::size_t element_bytes(KvType type) {
  return type == KvType::bf16 ? 2 : 1;
}
/// "bf16", "fp8": the words of --kv-dtype.
constexpr std::string_view to_string(KvType type) {
  return type == KvType::bf16 ? "bf16" : "fp8";
}
constexpr std::optional<KvType> parse_kv_type(std::string_view word) {
  for (const KvType type : {KvType::bf16, KvType::fp8_e4m3}) {
    if (word == to_string(type)) return type;
  }
  return std::nullopt;
}

/// Elements of a token's head in a GPU's cache: the head's own, padded with zeros to a width that its kernels
/// are built for. 0 when the head is larger than the largest.
constexpr int device_kv_width(int head_dim) {
  for (const int width : {32, 64, 96, 128, 256}) {
    if (head_dim <= width) return width;
  }
  return 0;
}
/// Tokens that the GPU's kernels take at a time: its KV blocks are multiples of it.
inline constexpr int kDeviceKvTile = 16;

}  // namespace sparkmpi::kernels::inference
