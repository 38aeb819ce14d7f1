#pragma once
// Attention over the paged KV cache, with rotary embedding and the append of the step's own keys and values.

#include <cuda_runtime_api.h>

#include <cstdint>

#include "kernels/inference/cuda/kv_view.hpp"
#include "kernels/inference/cuda/linear/products.hpp"

namespace sparkmpi::kernels::inference::gpu {

/// What one layer's attention works on. Queries, keys and values come as the projection leaves them: fp32,
/// not yet rotated.
struct AttentionInput {
  float* qkv = nullptr;  ///< [tokens, stride]: heads·head_dim, then kv_heads·head_dim twice; prefill rotates
                         ///< queries in place
  int stride = 0;
  int heads = 0, head_dim = 0;
  const float2* rotation = nullptr;  ///< [tokens, head_dim/2]: cosine and sine
  StepTokens tokens;
  KvLayer kv;
  int window = 0;                ///< tokens a query sees, itself included; 0: all
  const float* sinks = nullptr;  ///< [heads] logits that join the denominators, or null
  std::uint16_t* out = nullptr;  ///< BF16 [tokens, out_stride]
  int out_stride = 0;
};

/// Room for the parts of contexts that are split between blocks.
struct SplitWorkspace {
  float* sums = nullptr;             ///< split_floats()
  std::uint32_t* arrived = nullptr;  ///< split_counters(), all zero; left so
};

/// Splits of a context that keep this many multiprocessors busy with `tokens` decoding sequences.
int context_splits(int multiprocessors, int kv_heads, int group, int tokens);
std::size_t split_floats(int splits, int heads, int kv_heads, int width, int tokens);
std::size_t split_counters(int heads, int kv_heads, int tokens);

/// Tokens [0, count), one of each sequence: rotates, appends and attends. The context is cut in up to
/// `splits` parts, merged in their order whatever order they finish in, so that results repeat bit by bit.
void decode_attention(const AttentionInput& input, int count, int splits, const SplitWorkspace& workspace,
                      const Launch& launch);

/// Up to kQueryTile neighbouring tokens of one sequence.
struct QueryTile {
  std::int32_t first_token, tokens;
};
inline constexpr int kQueryTile = 64;

/// Tokens of many-token slices: rotates queries in place, appends keys and values; then attends, each tile to
/// all that its sequence holds up to each query. @param tiles device pointer; those with the longest contexts
/// should come first.
void rotate_and_append(const AttentionInput& input, int first_token, int count, const Launch& launch);
void prefill_attention(const AttentionInput& input, const QueryTile* tiles, int count, const Launch& launch);

}  // namespace sparkmpi::kernels::inference::gpu
