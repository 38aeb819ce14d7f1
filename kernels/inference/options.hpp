#pragma once
// What `inference` can be told, and what the words come to on a rank.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/device/device.hpp"
#include "kernels/inference/kv_budget.hpp"
#include "kernels/inference/model_catalog.hpp"
#include "kernels/inference/request.hpp"
#include "kernels/inference/scheduler.hpp"
#include "kernels/option.hpp"

namespace sparkmpi::kernels::inference {

extern const std::array<OptionSpec, 16> kOptions;

/// A point's parameters, resolved: every fault that can be found without measuring has been found.
struct Settings {
  ModelSource model;
  std::vector<Request> requests;  ///< of one repetition
  SchedulerOptions scheduler;
  KvBudget kv_budget;
  int kv_block = 16;
  std::int64_t repetitions = 1;
  std::uint64_t seed = 0;
  std::vector<int> cpus;
  bool save_tokens = false;
  bool synthetic = false;  ///< weights are made from the seed

  /// Blocks that hold all requests in flight at once.
  std::int64_t blocks_in_flight() const;
};

/// Throws UsageError with one line for anything that can't work on this rank.
/// @param local_ranks that hold weights of their own in this node's memory.
Settings resolve(const Parameters& parameters, const Placement& placement, int local_ranks);

}  // namespace sparkmpi::kernels::inference
