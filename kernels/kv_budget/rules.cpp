#include "kernels/kv_budget/rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace sparkmpi::kernels::kv_budget {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

constexpr std::array<Rule, 3> kRules = {{
    {"trtllm", "f*(free - W)",
     [](const Pool& pool, double weights, double fraction) { return fraction * (pool.free - weights); }},
    {"vllm", "f*total - W, refused when free < f*total",
     [](const Pool& pool, double weights, double fraction) {
       return pool.free < fraction * pool.total ? kNaN : fraction * pool.total - weights;
     }},
    {"sglang", "f*free - W",
     [](const Pool& pool, double weights, double fraction) { return fraction * pool.free - weights; }},
}};

double value_of(std::span<const ledger::Reading> readings, std::string_view name) {
  const auto found = std::ranges::find(readings, name, &ledger::Reading::name);
  return found == readings.end() || found->answer != ledger::Answer::value ? kNaN : found->value;
}

/// The level whose limit is the smallest; no answer where no level has one.
Pool cgroup_pool(std::span<const ledger::Reading> readings) {
  Pool smallest{"cgroup", kNaN, kNaN};
  for (const ledger::Reading& reading : readings) {
    constexpr std::string_view kMax = ".max";
    const std::string_view name = reading.name;
    const std::string_view level = name.substr(0, name.find('.'));
    if (!name.starts_with("cgroup") || name.substr(level.size()) != kMax) continue;
    if (reading.answer != ledger::Answer::value || !std::isfinite(reading.value)) continue;
    if (reading.value >= smallest.total) continue;  // false while there is none
    smallest.total = reading.value;
    smallest.free = reading.value - value_of(readings, fmt::format("{}.current", level));
  }
  return smallest;
}

Budget budget_of(const Rule& rule, const Pool& pool, const Demand& demand, double fraction) {
  if (std::isnan(pool.total) || std::isnan(pool.free)) return {&rule, pool, Status::no_answer, kNaN, kNaN};
  const double bytes = rule.bytes(pool, demand.weights, fraction);
  if (std::isnan(bytes)) return {&rule, pool, Status::refused, kNaN, kNaN};
  const double tokens = std::max(0.0, std::floor(bytes / demand.kv_per_token));
  return {&rule, pool, tokens >= 1 ? Status::fits : Status::no_room, bytes, tokens};
}

}  // namespace

std::vector<Pool> pools_of(std::span<const ledger::Reading> readings) {
  const auto value = [&](std::string_view name) { return value_of(readings, name); };
  return {{"cuda", value("cuda.total"), value("cuda.free")},
          {"MemAvailable", value("meminfo.MemTotal"), value("meminfo.MemAvailable")},
          {"MemFree", value("meminfo.MemTotal"), value("meminfo.MemFree")},
          cgroup_pool(readings),
          {"nvml", value("nvml.device_total"), value("nvml.device_free")}};
}

std::span<const Rule> rules() {
  return kRules;
}

std::string_view to_string(Status status) {
  switch (status) {
    case Status::fits:
      return "fits";
    case Status::no_answer:
      return "no answer";
    case Status::refused:
      return "refused";
    case Status::no_room:
      return "no room";
  }
  return "unknown";
}

double Demand::kv_of(std::int64_t context) const {
  if (windows.empty()) return kv_per_token * static_cast<double>(context);
  const double per_layer = kv_per_token / static_cast<double>(windows.size());
  double bytes = 0;
  for (const std::int64_t window : windows)
    bytes += per_layer * static_cast<double>(window > 0 ? std::min(window, context) : context);
  return bytes;
}

Demand demand_of(const inference::ModelConfig& config, double weight_bytes, double element_bytes) {
  constexpr double kElement = 2;  // kv_bytes_per_token() is of 16-bit elements
  Demand demand;
  demand.weights = weight_bytes > 0 ? weight_bytes * static_cast<double>(config.parameters())
                                    : static_cast<double>(config.weight_bytes());
  demand.kv_per_token = static_cast<double>(config.kv_bytes_per_token()) * element_bytes / kElement;
  for (int layer = 0; layer < config.layers; ++layer) demand.windows.push_back(config.window_of(layer));
  return demand;
}

std::vector<Budget> budgets(std::span<const Pool> pools, const Demand& demand, double fraction) {
  std::vector<Budget> all;
  for (const Pool& pool : pools) {
    for (const Rule& rule : kRules) all.push_back(budget_of(rule, pool, demand, fraction));
  }
  return all;
}

double concurrent_requests(const Budget& budget, const Demand& demand, std::int64_t context) {
  if (std::isnan(budget.bytes)) return kNaN;
  return std::max(0.0, std::floor(budget.bytes / demand.kv_of(context)));
}

}  // namespace sparkmpi::kernels::kv_budget
