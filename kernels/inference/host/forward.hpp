#pragma once
// One forward pass of a decoder-only transformer over a step's tokens.

#include <atomic>
#include <memory>
#include <span>
#include <vector>

#include "kernels/communicator.hpp"
#include "kernels/inference/engine.hpp"
#include "kernels/inference/host/attention.hpp"
#include "kernels/inference/host/experts.hpp"
#include "kernels/inference/host/kv_pool.hpp"
#include "kernels/inference/host/math_ops.hpp"
#include "kernels/inference/host/projection.hpp"
#include "kernels/inference/host/rotary.hpp"
#include "kernels/inference/weights.hpp"

namespace sparkmpi::kernels::inference {

/// All workers go through the layers together. Each multiplies by its own rows of every matrix (the rows
/// whose pages it touched first), and they meet at a barrier wherever one needs what the others have
/// computed: six times a layer, eight with experts.
class Forward {
 public:
  /// @param group of the members whose parts make the whole; null: one.
  Forward(const Weights& weights, host::ThreadTeam& team, const MathOps& ops, Group* group);

  /// As Engine::step; leaves the cache's lengths to the caller.
  void run(std::span<const SequenceSlice> batch, const KvCache& cache, KvPool& pool,
           std::span<std::int32_t> next, float* logits);

  /// Distinct experts that the last run's tokens went to, summed over the layers.
  std::uint64_t routed_experts() const { return routed_experts_; }

 private:
  /// A token that may come next; its id as a float, so that candidates can travel in a sum.
  struct Candidate {
    float logit = 0, id = 0;
  };
  /// What belongs to one worker.
  struct Worker {
    Worker(const ModelConfig& config, const MathOps& ops, std::size_t widest)
        : projection(ops, widest), attention(config, ops) {}
    Projection projection;
    Attention attention;
    std::vector<float> normed, gate, up, gathered, product;
    std::vector<Candidate> best;  ///< of its part of the vocabulary, for each slice
  };

  void prepare(std::span<const SequenceSlice> batch, const KvCache& cache, const KvPool& pool);
  void work(int index, const KvCache& cache, KvPool& pool);
  void embed(int index);
  void layer(int number, int index, const KvCache& cache, KvPool& pool);
  void attend(int number, int index, const KvCache& cache, const KvPool& pool);
  void rotate_and_store(int number, int index, const KvCache& cache, KvPool& pool);
  void feed_forward(const LayerWeights& weights, int index);
  void experts(const LayerWeights& weights, int index);
  /// Multiplies the projection's input, `tokens` vectors, by the worker's rows of gate and up, and writes
  /// what the activation makes of them to rows of `out`, `intermediate` apart.
  void gate_and_up(const FeedForwardWeights& weights, std::size_t tokens, int index, float* out);
  void predict(int index);
  /// The best token of each slice, of all workers and members.
  void choose(std::span<std::int32_t> next);
  /// Rows of logits over the whole vocabulary.
  void give(std::size_t slices, float* logits);
  /// Where the products that end in the residual stream add: to it, or to partial_ when there is a group.
  float* block_output() { return group_ == nullptr ? x_.data() : partial_.data(); }
  /// After those products: adds all members' partial_ to the residual stream. Ends with a barrier.
  void finish_block(int index);
  /// Gives the worker's projection the RMS-normalised tokens: computed by each worker for itself when they
  /// are few, together otherwise. Returns them.
  const float* normalise(const float* x, std::size_t tokens, const std::vector<float>& weight, int index);

  const Weights& weights_;
  const ModelConfig& config_;
  host::ThreadTeam& team_;
  Group* group_;
  MathOps ops_;
  Rotary rotary_;
  std::vector<std::unique_ptr<Worker>> workers_;

  // The present step; rows are tokens.
  std::size_t tokens_ = 0;
  std::span<const SequenceSlice> batch_;
  std::vector<QueryRange> ranges_;
  std::vector<std::size_t> range_of_;  ///< by token
  std::vector<AttentionTask> tasks_;
  std::vector<Partial> partials_;
  std::vector<std::atomic<std::size_t>> next_task_;  ///< by layer
  bool any_split_ = false;
  std::vector<float> partial_;         ///< with a group: what this member adds to x_
  std::vector<Candidate> candidates_;  ///< [members, slices]
  std::vector<float> x_, normed_, qkv_, attended_, activated_, last_, logits_, cosine_, sine_, router_logits_;
  Routing routing_;  ///< of the present layer
  std::uint64_t routed_experts_ = 0;
};

}  // namespace sparkmpi::kernels::inference
