#pragma once
// `inference` on a GPU as the host side sees it: weights in device memory and an engine over them.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "kernels/communicator.hpp"
#include "kernels/inference/all_reduce_method.hpp"
#include "kernels/inference/engine.hpp"
#include "kernels/inference/kv_type.hpp"
#include "kernels/inference/model_shard.hpp"
#include "kernels/inference/tensor_plan.hpp"
#include "kernels/inference/weight_source.hpp"

namespace sparkmpi::kernels::inference {

/// Runs a function on every worker of a team: (worker, workers).
using Team = std::function<void(const std::function<void(int, int)>&)>;

/// What the weights are made of.
struct WeightOrigin {
  const std::vector<PlannedTensor>& plan;  ///< tensor_plan(the whole model)
  const ModelShard& shard;                 ///< which part of it goes to the device
  const WeightSource& source;
  std::optional<std::uint64_t>
      seed;          ///< given: matrices are made on the device, with the bits that `source` has
  const Team& team;  ///< reads the source's rows
  const std::function<void(double)>& progress;  ///< part of the bytes that is there, 0 to 1; may be empty
};

/// A model's weights in device memory.
class DeviceWeights {
 public:
  virtual ~DeviceWeights() = default;
  virtual const ModelConfig& config() const = 0;  ///< ModelShard::local
  virtual int ordinal() const = 0;
  /// Device memory held.
  virtual std::uint64_t bytes() const = 0;
  /// As Weights::hash() of the host: of the canonical bytes that went to the device, or, made there, came
  /// back from it.
  virtual std::uint64_t hash() const = 0;
};

struct CudaEngineOptions {
  std::int64_t kv_blocks = 1;
  int block_tokens = 16;  ///< a multiple of 16
  KvType kv_type = KvType::bf16;
  /// The ranks that compute the model together, in the order of their shards; null: this one alone. It
  /// outlives the engine.
  Group* group = nullptr;
  AllReduceMethod all_reduce = AllReduceMethod::automatic;  ///< how they add up
  std::int64_t batch = 1;          ///< sequences that decode at once: their graph is made beforehand
  std::int64_t step_tokens = 512;  ///< most tokens of a step; a larger one makes room for itself
};

/// Bytes of one block of tokens in a GPU's pool, all layers.
inline std::uint64_t device_kv_block_bytes(const ModelConfig& config, int block_tokens, KvType type) {
  return 2ULL * static_cast<std::uint64_t>(config.layers) * static_cast<std::uint64_t>(config.kv_heads) *
         static_cast<std::uint64_t>(block_tokens) *
         static_cast<std::uint64_t>(device_kv_width(config.head_dim)) * element_bytes(type);
}

struct CudaInference {
  static constexpr std::string_view kInterface = "inference";
  /// Throws Error that names what was asked and what was free when memory runs out, as make_engine does: then
  /// all of it is free again.
  std::unique_ptr<DeviceWeights> (*load)(int ordinal, const WeightOrigin& origin) = nullptr;
  /// @param weights outlive the engine. Heads have a device_kv_width, blocks are multiples of kDeviceKvTile.
  std::unique_ptr<Engine> (*make_engine)(const DeviceWeights& weights,
                                         const CudaEngineOptions& options) = nullptr;
};

}  // namespace sparkmpi::kernels::inference
