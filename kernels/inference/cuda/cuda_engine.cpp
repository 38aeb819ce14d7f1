#include "kernels/inference/cuda/cuda_engine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/error.hpp"
#include "kernels/inference/cuda/block_tables.hpp"
#include "kernels/inference/cuda/decode_graphs.hpp"
#include "kernels/inference/cuda/device.hpp"
#include "kernels/inference/cuda/forward.hpp"
#include "kernels/inference/cuda/members/all_reduce.hpp"
#include "kernels/inference/step_bytes.hpp"

namespace sparkmpi::kernels::inference::gpu {
namespace {

std::size_t wide(int value) {
  return static_cast<std::size_t>(value);
}

KvMemory make_kv(const ModelConfig& config, const CudaEngineOptions& options) {
  KvMemory kv;
  kv.type = options.kv_type;
  kv.block_tokens = options.block_tokens;
  kv.width = device_kv_width(config.head_dim);
  kv.blocks = options.kv_blocks;
  const std::uint64_t bytes = device_kv_block_bytes(config, options.block_tokens, options.kv_type) *
                              static_cast<std::uint64_t>(options.kv_blocks);
  kv.memory =
      DeviceMemory(bytes, fmt::format("the KV cache ({} tokens)", options.kv_blocks * options.block_tokens));
  // Elements beyond a head's own take part in products, with zeros.
  kv.memory.clear();
  return kv;
}

class CudaEngine final : public Engine {
 public:
  CudaEngine(const ResidentWeights& weights, const CudaEngineOptions& options)
      : weights_(weights),
        config_(weights.config()),
        kv_type_(options.kv_type),
        cache_(options.kv_blocks, options.block_tokens),
        kv_(make_kv(config_, options)),
        group_(options.group != nullptr && options.group->size() > 1 ? options.group : nullptr),
        sums_(make_sums(options)),
        forward_(weights, kv_, sums_.get()),
        tables_(options.kv_blocks, static_cast<int>(options.batch) + 1) {
    make_room(static_cast<int>(options.step_tokens + options.batch), static_cast<int>(options.batch));
    if (graphs_serve()) {
      for (const int batch : {1, static_cast<int>(options.batch)}) decode_graph(batch);
    }
    stream_.wait("preparing decode steps");
  }

  const ModelConfig& config() const override { return config_; }
  KvCache& kv() override { return cache_; }

  void step(std::span<const SequenceSlice> batch, std::span<std::int32_t> next, float* logits) override {
    const Pass pass = write_inputs(batch);
    // Graphs know nothing of what is prescribed.
    if (pass.every_token && graphs_serve() && !prescribed_) {
      check(cudaGraphLaunch(decode_graph(pass.tokens), stream_), "cudaGraphLaunch");
    } else {
      copy_lists(pass);
      forward_.run(pass, *memory_, tables_.device(), tables_.stride(), stream_);
    }
    finish_step();
    for (std::size_t i = 0; i < order_.size(); ++i) next[order_[i]] = memory_->next[i];
    if (logits != nullptr) copy_logits(logits);
    for (const SequenceSlice& slice : batch)
      cache_.append(slice.sequence, static_cast<std::int64_t>(slice.tokens.size()));
  }

  void prescribe_experts(std::optional<int> shift) override {
    forward_.prescribe_experts(shift);
    prescribed_ = shift.has_value();
  }

  StepBytes step_bytes(std::span<const SequenceSlice> batch) const override {
    return inference::step_bytes(config_, weights_.shard().step_bytes, cache_, batch,
                                 element_bytes(kv_type_));
  }

  std::uint64_t last_step_expert_bytes() const override {
    if (config_.experts == 0) return 0;
    std::uint64_t experts = 0;
    for (int layer = 0; layer < config_.layers; ++layer) experts += memory_->experts_read[layer];
    return experts * weights_.shard().expert_bytes;
  }

  Attributes facts() const override {
    if (group_ == nullptr) return {};
    return {{"all_reduce", sums_->name()}, {"decode_in_graph", std::int64_t{sums_->capturable()}}};
  }

 private:
  std::unique_ptr<AllReduce> make_sums(const CudaEngineOptions& options) const {
    if (group_ == nullptr) return nullptr;
    return make_all_reduce(*group_, options.all_reduce, config_.hidden);
  }
  bool graphs_serve() const { return sums_ == nullptr || sums_->capturable(); }

  /// Other members that fail leave sums behind that nobody completes.
  void finish_step() {
    if (group_ == nullptr) return stream_.wait("forward step");
    try {
      wait_with_members(stream_, *sums_, *group_, "forward step");
    } catch (...) {
      graphs_.clear();
      sums_->abort();
      throw;
    }
  }

  void make_room(int tokens, int slices) {
    graphs_.clear();
    memory_.reset();  // what is there goes first: both at once may not fit
    memory_.emplace(config_, StepLimits{tokens, slices, forward_.multiprocessors(), forward_.arg_max_parts(),
                                        group_ == nullptr ? 1 : group_->size()});
  }

  cudaGraphExec_t decode_graph(int batch) {
    return graphs_.of(batch, stream_, [&] {
      const Pass pass{batch, batch, 0, batch, true};
      forward_.run(pass, *memory_, tables_.device(), tables_.stride(), stream_);
    });
  }

  /// Single tokens first, then slices of several, whose tiles with the longest contexts come first.
  Pass write_inputs(std::span<const SequenceSlice> batch) {
    Pass pass;
    pass.slices = static_cast<int>(batch.size());
    std::size_t tokens = 0;
    int highest = 0;
    for (const SequenceSlice& slice : batch) {
      tokens += slice.tokens.size();
      highest = std::max(highest, slice.sequence);
    }
    if (tokens > wide(memory_->limits.tokens) || batch.size() > wide(memory_->limits.slices)) {
      make_room(std::max(static_cast<int>(tokens), memory_->limits.tokens),
                std::max(pass.slices, memory_->limits.slices));
    }
    if (tables_.reserve(highest, stream_)) graphs_.clear();
    pass.tokens = static_cast<int>(tokens);

    order_.clear();
    for (const bool single : {true, false}) {
      for (std::size_t i = 0; i < batch.size(); ++i) {
        if ((batch[i].tokens.size() == 1) == single) order_.push_back(i);
      }
    }
    int token = 0;
    for (std::size_t i = 0; i < order_.size(); ++i) {
      const SequenceSlice& slice = batch[order_[i]];
      tables_.update(slice.sequence, cache_.blocks(slice.sequence), stream_);
      const int count = static_cast<int>(slice.tokens.size());
      const auto first = static_cast<std::int32_t>(cache_.length(slice.sequence));
      std::memcpy(memory_->ids + token, slice.tokens.data(), slice.tokens.size_bytes());
      for (int t = 0; t < count; ++t) {
        memory_->positions[token + t] = first + t;
        memory_->rows[token + t] = slice.sequence;
      }
      if (count == 1) ++pass.decoding;
      for (int t = (count - 1) / kQueryTile * kQueryTile; count > 1 && t >= 0; t -= kQueryTile)
        memory_->tiles[pass.tiles++] = {token + t, std::min(kQueryTile, count - t)};
      token += count;
      memory_->last[i] = token - 1;
    }
    pass.every_token = pass.decoding == pass.tokens;
    return pass;
  }

  void copy_lists(const Pass& pass) {
    check(cudaMemcpyAsync(memory_->device_tiles, memory_->tiles, wide(pass.tiles) * sizeof(QueryTile),
                          cudaMemcpyHostToDevice, stream_),
          "copy of a step's tiles");
    check(cudaMemcpyAsync(memory_->device_last, memory_->last, wide(pass.slices) * sizeof(std::int32_t),
                          cudaMemcpyHostToDevice, stream_),
          "copy of a step's last tokens");
  }

  /// Each member has the logits of its part of the vocabulary.
  void copy_logits(float* logits) const {
    const std::size_t row = wide(config_.vocab),
                      here = static_cast<std::size_t>(weights_.shard().vocabulary.size()),
                      first = static_cast<std::size_t>(weights_.shard().vocabulary.begin);
    if (group_ != nullptr) std::fill_n(logits, order_.size() * row, 0.0F);
    for (std::size_t i = 0; i < order_.size(); ++i) {
      check(cudaMemcpy(logits + order_[i] * row + first, memory_->logits + i * wide(memory_->logits_stride),
                       here * sizeof(float), cudaMemcpyDeviceToHost),
            "copy of logits");
    }
    if (group_ != nullptr) group_->sum({logits, order_.size() * row});
  }

  const ResidentWeights& weights_;
  const ModelConfig& config_;
  KvType kv_type_;
  KvCache cache_;
  Stream stream_;
  KvMemory kv_;
  Group* group_;  ///< null: the model is not divided
  std::unique_ptr<AllReduce> sums_;
  Forward forward_;
  BlockTables tables_;
  std::optional<StepMemory> memory_;
  DecodeGraphs graphs_;
  bool prescribed_ = false;         ///< experts by place
  std::vector<std::size_t> order_;  ///< of the step's slices: their place in the caller's batch
};

}  // namespace

std::unique_ptr<Engine> make_cuda_engine(const ResidentWeights& weights, const CudaEngineOptions& options) {
  return std::make_unique<CudaEngine>(weights, options);
}

}  // namespace sparkmpi::kernels::inference::gpu
