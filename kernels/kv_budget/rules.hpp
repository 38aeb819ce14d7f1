#pragma once
// How much KV cache serving programs would take: their formulas over each ledger that claims to know what is
// free.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/inference/model_config.hpp"
#include "ledger/reading.hpp"

namespace sparkmpi::kernels::kv_budget {

/// One ledger's view of the memory that a KV cache would come from, in bytes; NaN where it does not answer.
struct Pool {
  std::string_view name;
  double total, free;
};

/// "cuda" (cudaMemGetInfo), "MemAvailable" and "MemFree" (of MemTotal; MemFree is what cudaMemGetInfo says on
/// GB10), "cgroup" (the smallest limit of all levels, and what that level has left), "nvml" (the device).
std::vector<Pool> pools_of(std::span<const ledger::Reading> readings);

/// A program's formula: f is the fraction it is told, W the weights' bytes. Activations and graphs, which the
/// programs find by a trial run, are not part of it: the budgets are upper bounds.
struct Rule {
  std::string_view name;
  std::string_view formula;
  double (*bytes)(const Pool& pool, double weights, double fraction);
};

/// trtllm  KV = f·(free - W): peak = used + W, KV = f·(total - peak) (TensorRT-LLM,
/// free_gpu_memory_fraction). vllm    KV = f·total - W, and no start when free < f·total: NaN (vLLM,
/// gpu_memory_utilization;
///         vllm/v1/worker/gpu_worker.py, determine_available_memory).
/// sglang  KV = (free - W) - free·(1 - f) = f·free - W (SGLang, mem_fraction_static;
///         sglang/srt/model_executor, profile_max_num_token).
std::span<const Rule> rules();

enum class Status : std::uint8_t {
  fits,
  no_answer,  ///< the pool's ledger does not answer here
  refused,    ///< the program would not start
  no_room,    ///< nothing is left beside the weights; the bytes are what is missing, negative
};
std::string_view to_string(Status status);

struct Budget {
  const Rule* rule;
  Pool pool;
  Status status;
  double bytes;   ///< NaN without an answer and when refused
  double tokens;  ///< whole tokens of full attention; 0 without room, NaN with the bytes
};

/// What a model needs, in bytes.
struct Demand {
  double weights = 0;
  double kv_per_token = 0;  ///< all layers, full attention
  /// Tokens that each layer keeps, 0: all. Empty: one layer that keeps all.
  std::vector<std::int64_t> windows;
  double kv_of(std::int64_t context) const;
};

/// @param weight_bytes of a parameter; 0: as the model's configuration stores them. @param element_bytes of a
/// key's or value's element.
Demand demand_of(const inference::ModelConfig& config, double weight_bytes, double element_bytes);

/// Every rule over every pool, pools outermost.
std::vector<Budget> budgets(std::span<const Pool> pools, const Demand& demand, double fraction);

/// Requests of `context` tokens that fit at once; NaN where the budget is.
double concurrent_requests(const Budget& budget, const Demand& demand, std::int64_t context);

}  // namespace sparkmpi::kernels::kv_budget
