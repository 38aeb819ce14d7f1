#pragma once
// One forward pass of a decoder-only transformer over a step's tokens.

#include <atomic>
#include <memory>
#include <optional>
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
#include "kernels/inference/prescribed_routing.hpp"
#include "kernels/inference/weights.hpp"

namespace sparkmpi::kernels::inference {

/// All workers go through the layers together. Each multiplies by its own rows of every matrix (the rows
/// whose pages it touched first), and they meet at a barrier wherever one needs what the others have
/// computed: six times a layer, eight with experts.
///
/// Of a divided model every member runs this over its own heads, intermediate units and rows of lm_head. The
/// first member adds its products to the residual stream and the others put theirs in its place; the sum of
/// all is then the new stream, with the same bits on every member.
class Forward {
 public:
  /// @param group the members that the weights are divided between.
  Forward(const Weights& weights, host::ThreadTeam& team, const MathOps& ops, Group& group);

  /// As Engine::step; leaves the cache's lengths to the caller.
  void run(std::span<const SequenceSlice> batch, const KvCache& cache, KvPool& pool,
           std::span<std::int32_t> next, float* logits);

  /// As Engine::prescribe_experts.
  void prescribe_experts(std::optional<int> shift);

  /// Distinct experts that the last run's tokens went to, summed over the layers.
  std::uint64_t routed_experts() const { return routed_experts_; }

 private:
  /// What belongs to one worker.
  struct Worker {
    Worker(const ModelConfig& config, const MathOps& ops, std::size_t widest)
        : projection(ops, widest), attention(config, ops) {}
    Projection projection;
    Attention attention;
    std::vector<float> normed, gate, up, gathered, product;
    std::vector<std::pair<float, std::int32_t>> best;  ///< of its part of the vocabulary, for each slice
  };

  void prepare(std::span<const SequenceSlice> batch, const KvCache& cache, const KvPool& pool);
  void work(int index, const KvCache& cache, KvPool& pool);
  void embed(int index);
  void layer(int number, int index, const KvCache& cache, KvPool& pool);
  void attend(int number, int index, const KvCache& cache, const KvPool& pool);
  void rotate_and_store(int number, int index, const KvCache& cache, KvPool& pool);
  void feed_forward(const LayerWeights& weights, int index);
  void experts(const LayerWeights& weights, int number, int index);
  /// Makes the router's logits those that choose what is prescribed.
  void prescribe(int number);
  /// Multiplies the projection's input, `tokens` vectors, by the worker's rows of gate and up, and writes
  /// what the activation makes of them to rows of `out`, `intermediate` apart.
  void gate_and_up(const FeedForwardWeights& weights, std::size_t tokens, int index, float* out);
  void predict(int index);
  /// Waits for all workers; of a divided model, then makes the residual stream the sum over the members.
  void join_members(int index);
  /// Gives the best token of each slice and the logits, which members have parts of, to all of them.
  void share_results(std::span<std::pair<float, std::int32_t>> best, float* logits);
  bool divided() const { return group_.size() > 1; }
  /// Gives the worker's projection the RMS-normalised tokens: computed by each worker for itself when they
  /// are few, together otherwise. Returns them.
  const float* normalise(const float* x, std::size_t tokens, const std::vector<float>& weight, int index);

  const Weights& weights_;
  const ModelConfig& config_;
  host::ThreadTeam& team_;
  MathOps ops_;
  Group& group_;
  bool adds_to_stream_;                   ///< the first member
  std::size_t vocabulary_, first_token_;  ///< this member's rows of lm_head: how many, and their first
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
  std::vector<std::pair<float, std::int32_t>> best_;  ///< logit and token of each slice
  std::vector<float> x_, normed_, qkv_, attended_, activated_, last_, logits_, cosine_, sine_, router_logits_;
  Routing routing_;  ///< of the present layer
  std::optional<PrescribedRouting> prescribed_;
  std::uint64_t routed_experts_ = 0;
};

}  // namespace sparkmpi::kernels::inference
