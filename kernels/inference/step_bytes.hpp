#pragma once
// The bound behind MBU (docs/metrics.md), the same for every engine.

#include <algorithm>
#include <cstddef>
#include <span>

#include "kernels/inference/engine.hpp"

namespace sparkmpi::kernels::inference {

/// What a step over these slices has to read, experts left out, as the cache stands before it.
/// @param weights bytes of the weights, experts left out. @param element_bytes of a key or value.
inline StepBytes step_bytes(const ModelConfig& model, std::uint64_t weights, const KvCache& cache,
                            std::span<const SequenceSlice> batch, std::size_t element_bytes) {
  StepBytes bytes{weights, 0};
  const std::uint64_t of_layer =
      model.kv_bytes_per_token() / 2 * element_bytes / static_cast<std::uint64_t>(model.layers);
  for (const SequenceSlice& slice : batch) {
    const std::int64_t tokens = cache.length(slice.sequence) + static_cast<std::int64_t>(slice.tokens.size());
    for (int layer = 0; layer < model.layers; ++layer) {
      const std::int64_t window = model.window_of(layer);
      // With a window, a slice of n tokens sees the window of its first token and n - 1 tokens more.
      const std::int64_t seen =
          window == 0 ? tokens
                      : std::min(tokens, window + static_cast<std::int64_t>(slice.tokens.size()) - 1);
      bytes.kv += static_cast<std::uint64_t>(seen) * of_layer;
    }
  }
  return bytes;
}

}  // namespace sparkmpi::kernels::inference
