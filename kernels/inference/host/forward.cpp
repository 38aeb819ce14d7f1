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

/// y[t·stride + r] += bias[r] for r in [first, last).
void add_bias(const std::vector<float>& bias, std::size_t first, std::size_t last, std::size_t tokens,
              float* y, std::size_t stride) {
  if (bias.empty()) return;
  for (std::size_t token = 0; token < tokens; ++token) {
    for (std::size_t row = first; row < last; ++row) y[token * stride + row] += bias[row];
  }
}

/// A sum of any length: a group moves a limited number of bytes at once.
void sum_in_pieces(Group& group, std::span<float> values) {
  constexpr std::size_t kMost = std::size_t{1} << 26;
  for (std::size_t at = 0; at < values.size(); at += kMost)
    group.sum(values.subspan(at, std::min(kMost, values.size() - at)));
}

std::size_t widest_row(const ModelConfig& config) {
  return padded(wide(std::max({config.hidden, config.intermediate, config.heads * config.head_dim})));
}

}  // namespace

Forward::Forward(const Weights& weights, host::ThreadTeam& team, const MathOps& ops, Group& group)
    : weights_(weights),
      config_(weights.config()),
      team_(team),
      ops_(ops),
      group_(group),
      adds_to_stream_(group.rank() == 0),
      vocabulary_(weights.lm_head().rows),
      first_token_(static_cast<std::size_t>(weights.shard().vocabulary.begin)),
      rotary_(config_),
      next_task_(wide(config_.layers)),
      routing_(config_) {
  // Our workers are the threads; each calls the library for its own rows.
  openblas_set_num_threads(1);
  for (int i = 0; i < team.size(); ++i)
    workers_.push_back(std::make_unique<Worker>(config_, ops_, widest_row(config_)));
}

void Forward::run(std::span<const SequenceSlice> batch, const KvCache& cache, KvPool& pool,
                  std::span<std::int32_t> next, float* logits) {
  prepare(batch, cache, pool);
  routed_experts_ = 0;
  team_.run([&](int index) { work(index, cache, pool); });
  best_ = workers_.front()->best;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    // Workers hold ascending parts of the vocabulary: only a larger logit wins, so ties go to the lowest id.
    for (const auto& worker : workers_) {
      if (worker->best[i].first > best_[i].first) best_[i] = worker->best[i];
    }
  }
  share_results(best_, logits);
  for (std::size_t i = 0; i < batch.size(); ++i) next[i] = best_[i].second;
}

void Forward::share_results(std::span<std::pair<float, std::int32_t>> best, float* logits) {
  const std::size_t slices = best.size();
  if (logits != nullptr) {
    const std::size_t row = wide(config_.vocab);
    std::fill_n(logits, slices * row, 0.0F);
    for (std::size_t i = 0; i < slices; ++i)
      std::copy_n(logits_.data() + i * vocabulary_, vocabulary_, logits + i * row + first_token_);
    sum_in_pieces(group_, {logits, slices * row});
  }
  if (!divided()) return;
  // Each member fills in its own; all others add zero. A vocabulary has at most 2^24 tokens: exact.
  const auto members = wide(group_.size()), mine = wide(group_.rank());
  std::vector<float> found(2 * members * slices, 0.0F);
  for (std::size_t i = 0; i < slices; ++i) {
    found[2 * (mine * slices + i)] = best[i].first;
    found[2 * (mine * slices + i) + 1] = static_cast<float>(best[i].second);
  }
  group_.sum(found);
  for (std::size_t i = 0; i < slices; ++i) {
    // Members hold ascending parts of the vocabulary, too.
    for (std::size_t member = 0; member < members; ++member) {
      const float* const theirs = found.data() + 2 * (member * slices + i);
      if (member == 0 || theirs[0] > best[i].first)
        best[i] = {theirs[0], static_cast<std::int32_t>(theirs[1])};
    }
  }
}

void Forward::join_members(int index) {
  team_.barrier();
  if (!divided()) return;
  if (index == 0) sum_in_pieces(group_, {x_.data(), tokens_ * wide(config_.hidden)});
  team_.barrier();
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
  room(activated_, tokens_ * wide(std::max(1, config_.experts_per_token)) * wide(config_.intermediate));
  room(router_logits_, tokens_ * wide(config_.experts));
  room(last_, batch.size() * hidden);
  room(logits_, batch.size() * vocabulary_);
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
    for (std::size_t i = 0; i < hidden; ++i)
      x_[token * hidden + i] = to_float(row[i]) * config_.embedding_scale;
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
    add_bias(weights.qkv_bias, first + slice.begin, first + slice.end, tokens_, qkv_.data(), stride);
  }
  team_.barrier();
  rotate_and_store(number, index, cache, pool);
  team_.barrier();
  attend(number, index, cache, pool);
  team_.barrier();

  worker.projection.set_input(attended_.data(), tokens_, query);
  const host::Slice out = host::slice_of(hidden, index, team_.size());
  worker.projection.multiply(weights.output, out.begin, out.end - out.begin, x_.data() + out.begin, hidden,
                             adds_to_stream_);
  add_bias(weights.output_bias, out.begin, out.end, tokens_, x_.data(), hidden);
  join_members(index);

  if (config_.experts > 0) {
    experts(weights, number, index);
  } else {
    feed_forward(weights, index);
  }
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
                         weights_.layer(number).sinks, attended_.data(), partials_[i]);
  }
  if (!any_split_) return;
  team_.barrier();
  for (std::size_t i = wide(index); i < tasks_.size(); i += wide(team_.size())) {
    if (tasks_[i].splits == 1 || tasks_[i].split != 0) continue;
    worker.attention.combine(tasks_[i], std::span(partials_).subspan(i, tasks_[i].splits),
                             weights_.layer(number).sinks, attended_.data());
  }
}

void Forward::gate_and_up(const FeedForwardWeights& weights, std::size_t tokens, int index, float* out) {
  Worker& worker = *workers_[wide(index)];
  const std::size_t inter = wide(config_.intermediate);
  const host::Slice mine = host::slice_of(inter, index, team_.size());
  const std::size_t rows = mine.end - mine.begin;
  worker.gate.resize(std::max(worker.gate.size(), tokens * rows));
  worker.up.resize(worker.gate.size());
  worker.projection.multiply(weights.gate_up, mine.begin, rows, worker.gate.data(), rows, false);
  worker.projection.multiply(weights.gate_up, inter + mine.begin, rows, worker.up.data(), rows, false);
  for (std::size_t token = 0; token < tokens; ++token) {
    float* const gate = worker.gate.data() + token * rows;
    float* const up = worker.up.data() + token * rows;
    if (!weights.gate_up_bias.empty()) {
      const float* const bias = weights.gate_up_bias.data() + mine.begin;
      for (std::size_t row = 0; row < rows; ++row) {
        gate[row] += bias[row];
        up[row] += bias[inter + row];
      }
    }
    float* const to = out + token * inter + mine.begin;
    switch (config_.activation) {
      case Activation::silu:
        ops_.silu_multiply(gate, up, rows, to);
        break;
      case Activation::gelu_tanh:
        ops_.gelu_multiply(gate, up, rows, to);
        break;
      case Activation::swiglu_clamped:
        ops_.clamped_swiglu(gate, up, rows, config_.activation_limit, to);
        break;
    }
  }
}

void Forward::feed_forward(const LayerWeights& weights, int index) {
  Worker& worker = *workers_[wide(index)];
  const FeedForwardWeights& part = weights.feed_forward.front();
  const std::size_t hidden = wide(config_.hidden);
  normalise(x_.data(), tokens_, weights.mlp_norm, index);
  gate_and_up(part, tokens_, index, activated_.data());
  team_.barrier();
  worker.projection.set_input(activated_.data(), tokens_, wide(config_.intermediate));
  const host::Slice out = host::slice_of(hidden, index, team_.size());
  worker.projection.multiply(part.down, out.begin, out.end - out.begin, x_.data() + out.begin, hidden,
                             adds_to_stream_);
  join_members(index);
}

void Forward::prescribe_experts(std::optional<int> shift) {
  prescribed_ = PrescribedRouting::of(config_.experts, config_.experts_per_token, shift);
}

void Forward::prescribe(int number) {
  const std::size_t count = wide(config_.experts);
  for (std::size_t token = 0; token < tokens_; ++token) {
    const QueryRange& range = ranges_[range_of_[token]];
    const std::int64_t position = range.first_position + static_cast<std::int64_t>(token - range.first_token);
    for (std::size_t expert = 0; expert < count; ++expert) {
      float& logit = router_logits_[token * count + expert];
      logit = prescribed_->logit(logit, static_cast<int>(expert), position, number);
    }
  }
}

void Forward::experts(const LayerWeights& weights, int number, int index) {
  Worker& worker = *workers_[wide(index)];
  const std::size_t hidden = wide(config_.hidden), inter = wide(config_.intermediate),
                    count = wide(config_.experts);
  const float* const normed = normalise(x_.data(), tokens_, weights.mlp_norm, index);
  const host::Slice judged = host::slice_of(count, index, team_.size());
  worker.projection.multiply(weights.router, judged.begin, judged.end - judged.begin,
                             router_logits_.data() + judged.begin, count, false);
  add_bias(weights.router_bias, judged.begin, judged.end, tokens_, router_logits_.data(), count);
  team_.barrier();
  if (index == 0) {
    // Rounding may differ between members, by their threads or processors; the experts must not.
    if (divided())
      group_.broadcast(std::as_writable_bytes(std::span(router_logits_.data(), tokens_ * count)), 0);
    if (prescribed_) prescribe(number);
    routing_.assign(router_logits_.data(), tokens_);
    routed_experts_ += routing_.distinct();
  }
  team_.barrier();

  // Visits of one expert are neighbours in activated_.
  for (std::size_t expert = 0; expert < count; ++expert) {
    const std::span<const Visit> visits = routing_.of(expert);
    if (visits.empty()) continue;
    worker.gathered.resize(std::max(worker.gathered.size(), visits.size() * hidden));
    for (std::size_t i = 0; i < visits.size(); ++i)
      std::copy_n(normed + visits[i].token * hidden, hidden, worker.gathered.data() + i * hidden);
    worker.projection.set_input(worker.gathered.data(), visits.size(), hidden);
    gate_and_up(weights.feed_forward[expert], visits.size(), index,
                activated_.data() + routing_.first(expert) * inter);
  }
  team_.barrier();

  const host::Slice out = host::slice_of(hidden, index, team_.size());
  const std::size_t rows = out.end - out.begin;
  if (!adds_to_stream_) {
    for (std::size_t token = 0; token < tokens_; ++token)
      std::fill_n(x_.data() + token * hidden + out.begin, rows, 0.0F);
  }
  for (std::size_t expert = 0; expert < count; ++expert) {
    const std::span<const Visit> visits = routing_.of(expert);
    if (visits.empty()) continue;
    const FeedForwardWeights& part = weights.feed_forward[expert];
    worker.product.resize(std::max(worker.product.size(), visits.size() * rows));
    worker.projection.set_input(activated_.data() + routing_.first(expert) * inter, visits.size(), inter);
    worker.projection.multiply(part.down, out.begin, rows, worker.product.data(), rows, false);
    for (std::size_t i = 0; i < visits.size(); ++i) {
      float* const x = x_.data() + visits[i].token * hidden + out.begin;
      for (std::size_t row = 0; row < rows; ++row) {
        const float bias = part.down_bias.empty() ? 0 : part.down_bias[out.begin + row];
        x[row] += visits[i].weight * (worker.product[i * rows + row] + bias);
      }
    }
  }
  join_members(index);
}

const float* Forward::normalise(const float* x, std::size_t tokens, const std::vector<float>& weight,
                                int index) {
  Worker& worker = *workers_[wide(index)];
  const std::size_t hidden = weight.size();
  if (tokens <= MathOps::kMostVectors) {
    worker.normed.resize(std::max(worker.normed.size(), tokens * hidden));
    for (std::size_t token = 0; token < tokens; ++token) {
      rms_norm(x + token * hidden, weight, config_.norm_eps, worker.normed.data() + token * hidden);
    }
    worker.projection.set_input(worker.normed.data(), tokens, hidden);
    return worker.normed.data();
  }
  const host::Slice slice = host::slice_of(tokens, index, team_.size());
  for (std::size_t token = slice.begin; token < slice.end; ++token) {
    rms_norm(x + token * hidden, weight, config_.norm_eps, normed_.data() + token * hidden);
  }
  team_.barrier();
  worker.projection.set_input(normed_.data(), tokens, hidden);
  return normed_.data();
}

void Forward::predict(int index) {
  Worker& worker = *workers_[wide(index)];
  const std::size_t hidden = wide(config_.hidden), slices = ranges_.size();
  if (index == 0) {
    for (std::size_t i = 0; i < slices; ++i) {
      const std::size_t token = ranges_[i].first_token + ranges_[i].tokens - 1;
      std::copy_n(x_.begin() + static_cast<std::ptrdiff_t>(token * hidden), hidden,
                  last_.begin() + static_cast<std::ptrdiff_t>(i * hidden));
    }
  }
  team_.barrier();
  normalise(last_.data(), slices, weights_.final_norm(), index);
  const host::Slice mine = host::slice_of(vocabulary_, index, team_.size());
  worker.projection.multiply(weights_.lm_head(), mine.begin, mine.end - mine.begin,
                             logits_.data() + mine.begin, vocabulary_, false);
  const auto token = [&](std::size_t row) { return static_cast<std::int32_t>(first_token_ + row); };
  worker.best.assign(slices, {-std::numeric_limits<float>::infinity(), token(mine.begin)});
  for (std::size_t i = 0; i < slices; ++i) {
    const float* const logits = logits_.data() + i * vocabulary_;
    for (std::size_t row = mine.begin; row < mine.end; ++row) {
      if (logits[row] > worker.best[i].first) worker.best[i] = {logits[row], token(row)};
    }
  }
}

}  // namespace sparkmpi::kernels::inference
