#pragma once
// One forward pass on the device: the order of its kernels and the memory that they pass on.

#include <cstdint>
#include <optional>
#include <vector>

#include "kernels/inference/cuda/attention.hpp"
#include "kernels/inference/cuda/device_weights.hpp"
#include "kernels/inference/cuda/linear/experts.hpp"
#include "kernels/inference/cuda/linear/products.hpp"
#include "kernels/inference/cuda/matrix_product.hpp"
#include "kernels/inference/cuda/members/all_reduce.hpp"
#include "kernels/inference/cuda/step_memory.hpp"
#include "kernels/inference/cuda/token_layers.hpp"

namespace sparkmpi::kernels::inference::gpu {

/// What a pass works on. The step's first `decoding` tokens are one of each sequence; the others belong to
/// slices of several tokens, which `tiles` cover.
struct Pass {
  int tokens = 0, decoding = 0, tiles = 0;
  int slices = 0;            ///< logits are wanted after this many tokens: those of `last`
  bool every_token = false;  ///< each token is its slice's last, in order: `last` is not read
};

/// The KV pool: layers of blocks.
struct KvMemory {
  KvType type = KvType::bf16;
  int block_tokens = 0, width = 0;
  std::int64_t blocks = 0;
  DeviceMemory memory;
  KvLayer layer(int index, const ModelConfig& config) const;
};

class Forward {
 public:
  /// @param weights and kv outlive it. @param sums over the members that the model is divided between; null:
  /// it is not.
  Forward(const ResidentWeights& weights, const KvMemory& kv, AllReduce* sums);

  /// Queues the pass. @param tables [rows, table_stride] on the device.
  void run(const Pass& pass, const StepMemory& memory, const std::int32_t* tables, int table_stride,
           cudaStream_t stream);

  /// As Engine::prescribe_experts, for passes queued from now on.
  void prescribe_experts(std::optional<int> shift);

  int multiprocessors() const { return multiprocessors_; }
  int arg_max_parts() const { return products_.arg_max_parts(); }

 private:
  struct Step;
  void attention(const Step& step, int layer);
  void feed_forward(const Step& step, int layer, const float* next_norm);
  void experts(const Step& step, const LayerMatrices& layer, const ResidualOutput& output, int number);
  void predict(const Step& step);
  /// The residual stream, with the first half of its next norm where a step has few tokens.
  ResidualOutput to_residual(const Step& step, const float* bias, const float* next_norm) const;
  /// What a block's last product adds to: the residual stream and its next norm, or this member's part of a
  /// sum, …
  ResidualOutput block_output(const Step& step, const float* bias, const float* next_norm) const;
  /// … which this adds to the residual stream.
  void finish_block(const Step& step, const float* next_norm);
  /// Of several members' best tokens the best.
  void choose(const Step& step);
  /// y (+)= x · matrixᵀ for many vectors, by way of BF16 where the matrix is in another format.
  void many(const Step& step, const DeviceMatrix& matrix, const std::uint16_t* x, void* y, ProductType type,
            bool accumulate);

  const ResidentWeights& weights_;
  const KvMemory& kv_;
  const ModelConfig& config_;
  AllReduce* sums_;
  int multiprocessors_ = 0;
  bool programmatic_ = false;
  Products products_;
  ExpertProducts expert_products_;
  std::optional<PrescribedRouting> prescribed_;
  MatrixProducts matrix_products_;
  DeviceMemory frequencies_, widened_;
};

}  // namespace sparkmpi::kernels::inference::gpu
