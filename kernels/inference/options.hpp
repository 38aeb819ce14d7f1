#pragma once
// What `inference` can be told, and what the words come to on a rank.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/inference/all_reduce_method.hpp"
#include "kernels/inference/kv_budget.hpp"
#include "kernels/inference/kv_type.hpp"
#include "kernels/inference/model_catalog.hpp"
#include "kernels/inference/model_shard.hpp"
#include "kernels/inference/request.hpp"
#include "kernels/inference/scheduler.hpp"
#include "kernels/inference/weight_file.hpp"
#include "kernels/kernel.hpp"

namespace sparkmpi::kernels::inference {

extern const std::array<OptionSpec, 21> kOptions;

/// A point's parameters, resolved: every fault that can be found without measuring has been found.
struct Settings {
  ModelSource model;
  ModelShard shard;               ///< of model.config: what this rank holds
  std::vector<Request> requests;  ///< of one repetition
  SchedulerOptions scheduler;
  KvBudget kv_budget;
  KvType kv_type = KvType::bf16;
  int kv_block = 16;
  std::uint64_t kv_block_bytes = 0;  ///< on this rank's device
  std::int64_t repetitions = 1;
  std::uint64_t seed = 0;
  std::vector<int> cpus;
  bool save_tokens = false;
  LoadMode load = LoadMode::cached;
  AllReduceMethod all_reduce = AllReduceMethod::automatic;
  bool synthetic = false;  ///< weights are made from the seed
  int group = 0;           ///< which of the groups that work on one model, in rank order

  /// Blocks that hold all requests in flight at once.
  std::int64_t blocks_in_flight() const;
  /// Sequences that decode at once.
  std::int64_t decode_batch() const;
};

/// Throws UsageError with one line for anything that can't work on this rank.
Settings resolve(const Parameters& parameters, const Site& site);

}  // namespace sparkmpi::kernels::inference
