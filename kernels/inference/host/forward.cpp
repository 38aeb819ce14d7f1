#include "kernels/inference/host/forward.hpp"

#include <cblas.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace sparkmpi::kernels::inference {
namespace {

std::size_t wide(int value) {
  return static_cast<std::size_t>(value);
}

/// x / √(mean(x²) + ε) · weight
void rms_norm(const float* x, const std::vector<float>& weight, double eps, float* out) {
  float squares = 0;
  for (std::size_t i = 0; i < weight.size(); ++i) squares += x[i] * x[i];
  const float scale = 1 / std::sqrt(squares / static_cast<float>(weight.size()) + static_cast<float>(eps));
  for (std::size_t i = 0; i < weight.size(); ++i) out[i] = x[i] * scale * weight[i];
}

std::size_t widest_row(const ModelConfig& config) {
  return padded(wide(std::max({config.hidden, config.intermediate, config.heads * config.head_dim})));
}

}  // namespace

Forward::Forward(const Weights& weights, host::ThreadTeam& team, const MathOps& ops)
    : weights_(weights),
      config_(weights.config()),
      team_(team),
      ops_(ops),
      rotary_(config_),
      next_task_(wide(config_.layers)) {
  // Our workers are the threads; each calls the library for its own rows.
  openblas_set_num_threads(1);
  for (int i = 0; i < team.size(); ++i)
    workers_.push_back(std::make_unique<Worker>(config_, ops_, widest_row(config_)));
}

void Forward::run(std::span<const SequenceSlice> batch, const KvCache& cache, KvPool& pool,
                  std::span<std::int32_t> next, float* logits) {
  prepare(batch, cache, pool);
  team_.run([&](int index) { work(index, cache, pool); });
  for (std::size_t i = 0; i < batch.size(); ++i) {
    std::pair<float, std::int32_t> best = workers_.front()->best[i];
    // Workers hold ascending parts of the vocabulary: only a larger logit wins, so ties go to the lowest id.
    for (const auto& worker : workers_) {
      if (worker->best[i].first > best.first) best = worker->best[i];
    }
    next[i] = best.second;
  }
  if (logits != nullptr) std::copy_n(logits_.begin(), batch.size() * wide(config_.vocab), logits);
}

void Forward::prepare(std::span<const SequenceSlice> batch, const KvCache& cache, const KvPool& pool) {
  batch_ = batch;
  ranges_.clear();
  range_of_.clear();
  tokens_ = 0;
  for (const SequenceSlice& slice : batch) {
    ranges_.push_back({slice.sequence, tokens_, slice.tokens.size(), cache.length(slice.sequence)});
    range_of_.insert(range_of_.end(), slice.tokens.size(), ranges_.size() - 1);
    tokens_ += slice.tokens.size();
  }
  tasks_ = attention_tasks(ranges_, config_, team_.size(), pool.block_tokens());
  partials_.resize(std::max(partials_.size(), tasks_.size()));
  any_split_ = std::ranges::any_of(tasks_, [](const AttentionTask& task) { return task.splits > 1; });
  for (auto& next : next_task_) next.store(0, std::memory_order_relaxed);

  const auto room = [](std::vector<float>& vector, std::size_t size) {
    vector.resize(std::max(vector.size(), size));
  };
  const std::size_t hidden = wide(config_.hidden);
  room(x_, tokens_ * hidden);
  room(normed_, tokens_ * hidden);
  room(qkv_, tokens_ * weights_.layer(0).qkv.rows);
  room(attended_, tokens_ * wide(config_.heads * config_.head_dim));
  room(activated_, tokens_ * wide(config_.intermediate));
  room(last_, batch.size() * hidden);
  room(logits_, batch.size() * wide(config_.vocab));
  room(cosine_, tokens_ * rotary_.pairs());
  room(sine_, tokens_ * rotary_.pairs());
}

void Forward::work(int index, const KvCache& cache, KvPool& pool) {
  embed(index);
  team_.barrier();
  for (int number = 0; number < config_.layers; ++number) layer(number, index, cache, pool);
  predict(index);
}

void Forward::embed(int index) {
  const host::Slice slice = host::slice_of(tokens_, index, team_.size());
  const std::size_t hidden = wide(config_.hidden);
  for (std::size_t token = slice.begin; token < slice.end; ++token) {
    const QueryRange& range = ranges_[range_of_[token]];
    const std::size_t within = token - range.first_token;
    const auto id = static_cast<std::size_t>(batch_[range_of_[token]].tokens[within]);
    const Bf16* const row = weights_.embedding().row(id);
    for (std::size_t i = 0; i < hidden; ++i) x_[token * hidden + i] = to_float(row[i]);
    rotary_.angles(range.first_position + static_cast<std::int64_t>(within),
                   cosine_.data() + token * rotary_.pairs(), sine_.data() + token * rotary_.pairs());
  }
}

void Forward::layer(int number, int index, const KvCache& cache, KvPool& pool) {
  const LayerWeights& weights = weights_.layer(number);
  Worker& worker = *workers_[wide(index)];
  const std::size_t hidden = wide(config_.hidden), stride = weights.qkv.rows;
  const std::size_t query = wide(config_.heads * config_.head_dim),
                    key = wide(config_.kv_heads * config_.head_dim);

  normalise(x_.data(), tokens_, weights.attention_norm, index);
  for (const auto& [first, rows] : {std::pair{std::size_t{0}, query}, {query, key}, {query + key, key}}) {
    const host::Slice slice = host::slice_of(rows, index, team_.size());
    worker.projection.multiply(weights.qkv, first + slice.begin, slice.end - slice.begin,
                               qkv_.data() + first + slice.begin, stride, false);
    if (weights.qkv_bias.empty()) continue;
    for (std::size_t token = 0; token < tokens_; ++token) {
      for (std::size_t row = first + slice.begin; row < first + slice.end; ++row)
        qkv_[token * stride + row] += weights.qkv_bias[row];
    }
  }
  team_.barrier();
  rotate_and_store(number, index, cache, pool);
  team_.barrier();
  attend(number, index, cache, pool);
  team_.barrier();

  worker.projection.set_input(attended_.data(), tokens_, query);
  const host::Slice out = host::slice_of(hidden, index, team_.size());
  worker.projection.multiply(weights.output, out.begin, out.end - out.begin, x_.data() + out.begin, hidden,
                             true);
  team_.barrier();

  feed_forward(weights, index);
}

void Forward::rotate_and_store(int number, int index, const KvCache& cache, KvPool& pool) {
  const std::size_t heads = wide(config_.heads), kv_heads = wide(config_.kv_heads),
                    head_dim = wide(config_.head_dim);
  const std::size_t stride = (heads + 2 * kv_heads) * head_dim, pairs = rotary_.pairs(), width = pool.width();
  const host::Slice slice = host::slice_of(tokens_ * (heads + kv_heads), index, team_.size());
  for (std::size_t item = slice.begin; item < slice.end; ++item) {
    const std::size_t token = item / (heads + kv_heads), head = item % (heads + kv_heads);
    float* const turned = qkv_.data() + token * stride + head * head_dim;
    rotary_.apply(cosine_.data() + token * pairs, sine_.data() + token * pairs, turned);
    if (head < heads) continue;
    const QueryRange& range = ranges_[range_of_[token]];
    const auto position = static_cast<std::size_t>(range.first_position) + token - range.first_token;
    const auto block_tokens = static_cast<std::size_t>(pool.block_tokens());
    const std::int32_t block = cache.blocks(range.sequence)[position / block_tokens];
    const std::size_t offset = position % block_tokens * width;
    Bf16* const key = pool.keys(number, block, head - heads) + offset;
    Bf16* const value = pool.values(number, block, head - heads) + offset;
    const float* const values = turned + kv_heads * head_dim;
    for (std::size_t i = 0; i < head_dim; ++i) {
      key[i] = to_bf16(turned[i]);
      value[i] = to_bf16(values[i]);
    }
  }
}

void Forward::attend(int number, int index, const KvCache& cache, const KvPool& pool) {
  Worker& worker = *workers_[wide(index)];
  const std::size_t stride = weights_.layer(number).qkv.rows;
  std::atomic<std::size_t>& next = next_task_[wide(number)];
  for (std::size_t i = next.fetch_add(1, std::memory_order_relaxed); i < tasks_.size();
       i = next.fetch_add(1, std::memory_order_relaxed)) {
    worker.attention.run(tasks_[i], ranges_[tasks_[i].range], number, cache, pool, qkv_.data(), stride,
                         attended_.data(), partials_[i]);
  }
  if (!any_split_) return;
  team_.barrier();
  for (std::size_t i = wide(index); i < tasks_.size(); i += wide(team_.size())) {
    if (tasks_[i].splits == 1 || tasks_[i].split != 0) continue;
    worker.attention.combine(tasks_[i], std::span(partials_).subspan(i, tasks_[i].splits), attended_.data());
  }
}

void Forward::feed_forward(const LayerWeights& weights, int index) {
  Worker& worker = *workers_[wide(index)];
  const std::size_t hidden = wide(config_.hidden), inter = wide(config_.intermediate);
  normalise(x_.data(), tokens_, weights.mlp_norm, index);
  const host::Slice mine = host::slice_of(inter, index, team_.size());
  const std::size_t rows = mine.end - mine.begin;
  worker.gate.resize(std::max(worker.gate.size(), tokens_ * rows));
  worker.up.resize(worker.gate.size());
  worker.projection.multiply(weights.gate_up, mine.begin, rows, worker.gate.data(), rows, false);
  worker.projection.multiply(weights.gate_up, inter + mine.begin, rows, worker.up.data(), rows, false);
  for (std::size_t token = 0; token < tokens_; ++token) {
    ops_.silu_multiply(worker.gate.data() + token * rows, worker.up.data() + token * rows, rows,
                       activated_.data() + token * inter + mine.begin);
  }
  team_.barrier();
  worker.projection.set_input(activated_.data(), tokens_, inter);
  const host::Slice out = host::slice_of(hidden, index, team_.size());
  worker.projection.multiply(weights.down, out.begin, out.end - out.begin, x_.data() + out.begin, hidden,
                             true);
  team_.barrier();
}

void Forward::normalise(const float* x, std::size_t tokens, const std::vector<float>& weight, int index) {
  Worker& worker = *workers_[wide(index)];
  const std::size_t hidden = weight.size();
  if (tokens <= MathOps::kMostVectors) {
    worker.normed.resize(std::max(worker.normed.size(), tokens * hidden));
    for (std::size_t token = 0; token < tokens; ++token) {
      rms_norm(x + token * hidden, weight, config_.norm_eps, worker.normed.data() + token * hidden);
    }
    worker.projection.set_input(worker.normed.data(), tokens, hidden);
    return;
  }
  const host::Slice slice = host::slice_of(tokens, index, team_.size());
  for (std::size_t token = slice.begin; token < slice.end; ++token) {
    rms_norm(x + token * hidden, weight, config_.norm_eps, normed_.data() + token * hidden);
  }
  team_.barrier();
  worker.projection.set_input(normed_.data(), tokens, hidden);
}

void Forward::predict(int index) {
  Worker& worker = *workers_[wide(index)];
  const std::size_t hidden = wide(config_.hidden), vocab = wide(config_.vocab), slices = ranges_.size();
  if (index == 0) {
    for (std::size_t i = 0; i < slices; ++i) {
      const std::size_t token = ranges_[i].first_token + ranges_[i].tokens - 1;
      std::copy_n(x_.begin() + static_cast<std::ptrdiff_t>(token * hidden), hidden,
                  last_.begin() + static_cast<std::ptrdiff_t>(i * hidden));
    }
  }
  team_.barrier();
  normalise(last_.data(), slices, weights_.final_norm(), index);
  const host::Slice mine = host::slice_of(vocab, index, team_.size());
  worker.projection.multiply(weights_.lm_head(), mine.begin, mine.end - mine.begin,
                             logits_.data() + mine.begin, vocab, false);
  worker.best.assign(slices,
                     {-std::numeric_limits<float>::infinity(), static_cast<std::int32_t>(mine.begin)});
  for (std::size_t i = 0; i < slices; ++i) {
    const float* const row = logits_.data() + i * vocab;
    for (std::size_t id = mine.begin; id < mine.end; ++id) {
      if (row[id] > worker.best[i].first) worker.best[i] = {row[id], static_cast<std::int32_t>(id)};
    }
  }
}

}  // namespace sparkmpi::kernels::inference
