#pragma once
// Attention of a step's queries over the paged KV cache, cut into tasks for the workers.

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/inference/engine.hpp"
#include "kernels/inference/host/kv_pool.hpp"
#include "kernels/inference/host/math_ops.hpp"

namespace sparkmpi::kernels::inference {

/// The tokens of one slice within a step.
struct QueryRange {
  int sequence = 0;
  std::size_t first_token = 0;  ///< index within the step
  std::size_t tokens = 0;
  std::int64_t first_position = 0;  ///< of first_token in its sequence
};

/// One piece of work: up to 16 tokens of one slice, the query heads of one KV head, a stretch of the cache's
/// blocks.
struct AttentionTask {
  std::size_t range = 0;
  std::size_t token = 0, tokens = 0;  ///< within the step
  std::size_t kv_head = 0;
  std::size_t split = 0, splits = 1;  ///< which stretch of the blocks, of how many
};

/// Cuts a step's attention into tasks. Decoding slices are split along the context when there are fewer KV
/// heads than it takes to keep the workers busy; the parts of one split are neighbours in the result.
std::vector<AttentionTask> attention_tasks(std::span<const QueryRange> ranges, const ModelConfig& config,
                                           int workers, int block_tokens);

/// What a task leaves behind when its context was split: maximum, total and weighted sums of each of its rows
/// (query heads).
struct Partial {
  std::vector<float> maximum, total, sums;
};

/// One worker's attention.
class Attention {
 public:
  Attention(const ModelConfig& config, const MathOps& ops);

  /// @param queries [tokens of the step, heads·head_dim], rotated; row length `stride`.
  /// @param sinks [heads], or empty: a logit of each head that joins the softmax's denominator only.
  /// @param out [tokens of the step, heads·head_dim]: written when the task is not split. @param partial
  /// written when it is.
  void run(const AttentionTask& task, const QueryRange& range, int layer, const KvCache& cache,
           const KvPool& pool, const float* queries, std::size_t stride, std::span<const float> sinks,
           float* out, Partial& partial);

  /// Puts the parts of one split together into `out`.
  void combine(const AttentionTask& task, std::span<const Partial> parts, std::span<const float> sinks,
               float* out);

 private:
  void reset(std::size_t rows);
  void finish(const AttentionTask& task, std::span<const float> sinks, float* out);
  float* out_row(const AttentionTask& task, std::size_t row, float* out) const;

  const ModelConfig& config_;
  const MathOps& ops_;
  std::size_t width_, group_;
  std::vector<float> scaled_, queries_, maximum_, total_, sums_, scratch_;
  std::vector<std::int64_t> first_visible_, last_visible_;
};

}  // namespace sparkmpi::kernels::inference
