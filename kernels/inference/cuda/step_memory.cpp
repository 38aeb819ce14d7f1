#include "kernels/inference/cuda/step_memory.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace sparkmpi::kernels::inference::gpu {
namespace {

constexpr std::size_t kAlignment = 256;

std::size_t wide(int value) {
  return static_cast<std::size_t>(value);
}

/// Hands out aligned stretches of one piece of memory; without a base it only counts.
class Arena {
 public:
  explicit Arena(std::byte* base) : base_(base) {}
  template <class T>
  void take(T*& pointer, std::size_t count) {
    pointer = base_ == nullptr ? nullptr : reinterpret_cast<T*>(base_ + used_);
    used_ += (count * sizeof(T) + kAlignment - 1) / kAlignment * kAlignment;
  }
  std::size_t used() const { return used_; }

 private:
  std::byte* base_;
  std::size_t used_ = 0;
};

}  // namespace

StepMemory::StepMemory(const ModelConfig& config, const StepLimits& sizes) : limits(sizes) {
  device_ = DeviceMemory(assign_device(config, nullptr), fmt::format("steps of {} tokens", sizes.tokens));
  host_ = PinnedMemory(assign_host(config, nullptr), "step inputs");
  assign_device(config, device_.as());
  assign_host(config, host_.as());
  // The counters of split contexts and partial sums have to start at zero.
  device_.clear();
}

std::size_t StepMemory::assign_host(const ModelConfig& config, std::byte* base) {
  Arena arena(base);
  const std::size_t tokens = wide(limits.tokens), slices = wide(limits.slices);
  arena.take(ids, tokens);
  arena.take(positions, tokens);
  arena.take(rows, tokens);
  arena.take(last, slices);
  arena.take(tiles, tokens);
  arena.take(next, slices);
  arena.take(experts_read, wide(config.layers));
  return arena.used();
}

std::size_t StepMemory::assign_device(const ModelConfig& config, std::byte* base) {
  Arena arena(base);
  const std::size_t tokens = wide(limits.tokens), slices = wide(limits.slices), hidden = wide(config.hidden);
  const std::size_t query = wide(config.heads * config.head_dim),
                    key = wide(config.kv_heads * config.head_dim);
  const std::size_t chosen = wide(std::max(1, config.experts_per_token));
  const bool moe = config.experts > 0;
  arena.take(device_ids, tokens);
  arena.take(device_positions, tokens);
  arena.take(device_rows, tokens);
  arena.take(device_last, slices);
  arena.take(device_tiles, tokens);
  arena.take(rotation, tokens * wide(config.head_dim / 2));
  arena.take(residual, tokens * hidden);
  arena.take(squares, wide(kMostVectors * square_count(config.hidden)));
  arena.take(qkv, tokens * (query + 2 * key));
  arena.take(input, std::max(tokens, slices) * hidden);
  arena.take(attended, tokens * query);
  if (!moe) arena.take(gate_up, tokens * 2 * wide(config.intermediate));
  arena.take(activated, tokens * chosen * wide(config.intermediate));
  logits_stride = (config.vocab + 7) / 8 * 8;
  arena.take(logits, slices * wide(logits_stride));
  arena.take(best, wide(limits.arg_max_parts * kMostVectors));
  arena.take(best_row, wide(limits.arg_max_parts * kMostVectors));
  if (limits.members > 1) {
    arena.take(partial, tokens * hidden);
    arena.take(local_next, slices);
    arena.take(slots, wide(limits.members) * slices);
  }
  if (moe) {
    arena.take(router_logits, tokens * wide(config.experts));
    arena.take(pairs, tokens * chosen * hidden);
    routing.chosen = config.experts_per_token;
    arena.take(routing.ids, tokens * chosen);
    arena.take(routing.weights, tokens * chosen);
    arena.take(routing.active, wide(config.layers * kActiveWords));
    arena.take(routing.groups, wide(group_words(config.experts, static_cast<int>(tokens * chosen))));
  }
  const int width = device_kv_width(config.head_dim), group = config.heads / config.kv_heads;
  // Few sequences are split often, many seldom: the larger of both is what any number needs.
  std::size_t floats = 0;
  for (int count = 1;; count = std::min(2 * count, limits.slices)) {
    const int splits = context_splits(limits.multiprocessors, config.kv_heads, group, std::max(1, count / 2));
    floats = std::max(floats, split_floats(splits, config.heads, config.kv_heads, width, count));
    if (count == limits.slices) break;
  }
  arena.take(split.sums, floats);
  arena.take(split.arrived, split_counters(config.heads, config.kv_heads, limits.slices));
  return arena.used();
}

}  // namespace sparkmpi::kernels::inference::gpu
