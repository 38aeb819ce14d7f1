#include "kernels/inference/host/attention.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sparkmpi::kernels::inference {
namespace {

constexpr std::size_t kTaskTokens = 16;
constexpr std::int64_t kBlocksWorthSplitting = 4;

std::size_t wide(int value) {
  return static_cast<std::size_t>(value);
}

}  // namespace

std::vector<AttentionTask> attention_tasks(std::span<const QueryRange> ranges, const ModelConfig& config,
                                           int workers, int block_tokens) {
  std::vector<AttentionTask> tasks;
  const std::size_t kv_heads = wide(config.kv_heads);
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    const QueryRange& range = ranges[i];
    std::size_t splits = 1;
    if (range.tokens == 1) {
      const std::int64_t blocks = (range.first_position + block_tokens) / block_tokens;
      // Two tasks a worker even out what the number of heads leaves uneven.
      const std::size_t wanted =
          (2 * wide(workers) + ranges.size() * kv_heads - 1) / (ranges.size() * kv_heads);
      const auto most = static_cast<std::size_t>(std::max<std::int64_t>(1, blocks / kBlocksWorthSplitting));
      splits = workers == 1 ? 1 : std::min(wanted, most);
    }
    for (std::size_t token = 0; token < range.tokens; token += kTaskTokens) {
      for (std::size_t kv_head = 0; kv_head < kv_heads; ++kv_head) {
        for (std::size_t split = 0; split < splits; ++split) {
          tasks.push_back({i, range.first_token + token, std::min(kTaskTokens, range.tokens - token), kv_head,
                           split, splits});
        }
      }
    }
  }
  return tasks;
}

Attention::Attention(const ModelConfig& config, const MathOps& ops)
    : config_(config),
      ops_(ops),
      width_(padded(wide(config.head_dim))),
      group_(wide(config.heads / config.kv_heads)) {
  const std::size_t rows = kTaskTokens * group_;
  for (std::vector<float>* matrix : {&queries_, &sums_}) matrix->resize(rows * width_);
  for (std::vector<float>* row : {&maximum_, &total_}) row->resize(rows);
  scaled_.resize(width_);
  scratch_.resize(2 * MathOps::kMostTokens * width_);
  first_visible_.resize(rows);
  last_visible_.resize(rows);
}

void Attention::reset(std::size_t rows) {
  std::fill_n(maximum_.begin(), rows, -std::numeric_limits<float>::infinity());
  std::fill_n(total_.begin(), rows, 0.0F);
  std::fill_n(sums_.begin(), rows * width_, 0.0F);
}

float* Attention::out_row(const AttentionTask& task, std::size_t row, float* out) const {
  const std::size_t head = task.kv_head * group_ + row % group_;
  return out + ((task.token + row / group_) * wide(config_.heads) + head) * wide(config_.head_dim);
}

void Attention::run(const AttentionTask& task, const QueryRange& range, int layer, const KvCache& cache,
                    const KvPool& pool, const float* queries, std::size_t stride,
                    std::span<const float> sinks, float* out, Partial& partial) {
  const std::size_t rows = task.tokens * group_, head_dim = wide(config_.head_dim);
  const std::int64_t window = config_.window_of(layer);
  const float scale = 1 / std::sqrt(static_cast<float>(head_dim));
  for (std::size_t row = 0; row < rows; ++row) {
    const std::size_t token = task.token + row / group_, head = task.kv_head * group_ + row % group_;
    const float* const query = queries + token * stride + head * head_dim;
    for (std::size_t i = 0; i < head_dim; ++i) scaled_[i] = query[i] * scale;
    ops_.pack_query(scaled_.data(), head_dim, width_, queries_.data() + row * width_);
    const std::int64_t position = range.first_position + static_cast<std::int64_t>(token - range.first_token);
    last_visible_[row] = position;
    first_visible_[row] = window == 0 ? 0 : std::max<std::int64_t>(0, position - window + 1);
  }
  reset(rows);

  const std::int64_t block_tokens = pool.block_tokens();
  const std::int64_t first_block = first_visible_.front() / block_tokens,
                     end_block = last_visible_[rows - 1] / block_tokens + 1;
  const auto part = [&](std::size_t index) {
    return first_block + (end_block - first_block) * static_cast<std::int64_t>(index) /
                             static_cast<std::int64_t>(task.splits);
  };
  const std::span<const std::int32_t> blocks = cache.blocks(range.sequence);
  for (std::int64_t block = part(task.split); block < part(task.split + 1); ++block) {
    const std::int32_t id = blocks[static_cast<std::size_t>(block)];
    // Blocks longer than one pass of attend() are taken in several.
    for (std::int64_t token = 0; token < block_tokens; token += MathOps::kMostTokens) {
      const std::int64_t position = block * block_tokens + token;
      if (position > last_visible_[rows - 1]) break;
      const auto offset = static_cast<std::size_t>(token) * width_;
      const int tokens = static_cast<int>(std::min<std::int64_t>(
          {MathOps::kMostTokens, block_tokens - token, last_visible_[rows - 1] - position + 1}));
      ops_.attend({pool.keys(layer, id, task.kv_head) + offset, pool.values(layer, id, task.kv_head) + offset,
                   tokens, position, width_, rows, queries_.data(), first_visible_.data(),
                   last_visible_.data(), maximum_.data(), total_.data(), sums_.data(), scratch_.data()});
    }
  }
  if (task.splits == 1) return finish(task, sinks, out);
  partial.maximum.assign(maximum_.begin(), maximum_.begin() + static_cast<std::ptrdiff_t>(rows));
  partial.total.assign(total_.begin(), total_.begin() + static_cast<std::ptrdiff_t>(rows));
  partial.sums.assign(sums_.begin(), sums_.begin() + static_cast<std::ptrdiff_t>(rows * width_));
}

void Attention::combine(const AttentionTask& task, std::span<const Partial> parts,
                        std::span<const float> sinks, float* out) {
  const std::size_t rows = task.tokens * group_;
  reset(rows);
  for (std::size_t row = 0; row < rows; ++row) {
    float highest = maximum_[row];
    for (const Partial& part : parts) highest = std::max(highest, part.maximum[row]);
    maximum_[row] = highest;
    for (const Partial& part : parts) {
      const float weight = std::exp(part.maximum[row] - highest);
      total_[row] += part.total[row] * weight;
      for (std::size_t i = 0; i < width_; ++i)
        sums_[row * width_ + i] += part.sums[row * width_ + i] * weight;
    }
  }
  finish(task, sinks, out);
}

void Attention::finish(const AttentionTask& task, std::span<const float> sinks, float* out) {
  for (std::size_t row = 0; row < task.tokens * group_; ++row) {
    if (!sinks.empty()) total_[row] += std::exp(sinks[task.kv_head * group_ + row % group_] - maximum_[row]);
    float* const sums = sums_.data() + row * width_;
    const float inverse = 1 / total_[row];
    for (std::size_t i = 0; i < width_; ++i) sums[i] *= inverse;
    ops_.unpack_sum(sums, wide(config_.head_dim), out_row(task, row, out));
  }
}

}  // namespace sparkmpi::kernels::inference
