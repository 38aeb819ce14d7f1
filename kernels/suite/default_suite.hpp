#pragma once
// What `sparkmpi` runs when no kernel is named.

#include <cstdint>
#include <span>
#include <string_view>

namespace sparkmpi::kernels {

/// A kernel with options as a person would type them.
struct SuiteEntry {
  std::string_view kernel;
  std::span<const std::string_view> arguments;
};

/// On the host: memory bandwidth from cache to memory, then inference of SmolLM2-135M at batch 1 and 4, under
/// two minutes on two cores. On a GPU: bandwidth from L2 to memory, BF16 products, and inference of the
/// largest of three dense models whose weights take at most half of its memory.
/// @param gpu_memory_bytes of the smallest GPU; 0: the ranks drive the host.
std::span<const SuiteEntry> default_suite(std::uint64_t gpu_memory_bytes);

}  // namespace sparkmpi::kernels
