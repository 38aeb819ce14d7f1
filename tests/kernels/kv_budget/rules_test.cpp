#include "kernels/kv_budget/rules.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/inference/model_catalog.hpp"

namespace sparkmpi::kernels::kv_budget {
namespace {

constexpr double kGiB = 1024.0 * 1024 * 1024;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

ledger::Reading reading(const char* name, double value) {
  return {name, "B", std::isnan(value) ? ledger::Answer::not_supported : ledger::Answer::value, value};
}

const Pool& pool(const std::vector<Pool>& pools, std::string_view name) {
  return *std::ranges::find(pools, name, &Pool::name);
}

const Budget& budget(const std::vector<Budget>& all, std::string_view rule) {
  return *std::ranges::find_if(all, [&](const Budget& each) { return each.rule->name == rule; });
}

Demand demand(double weights, double per_token) {
  Demand needs;
  needs.weights = weights;
  needs.kv_per_token = per_token;
  return needs;
}

TEST(KvPools, ALedgerThatDoesNotAnswerIsNoPoolOfZero) {
  const std::vector<Pool> pools =
      pools_of(std::vector{reading("meminfo.MemTotal", 100), reading("meminfo.MemFree", 30),
                           reading("meminfo.MemAvailable", 80), reading("nvml.device_total", kNaN)});
  EXPECT_EQ(pool(pools, "MemAvailable").free, 80);
  EXPECT_EQ(pool(pools, "MemFree").free, 30);
  for (const char* silent : {"cuda", "nvml", "cgroup"}) {
    const std::vector<Budget> all = budgets(std::vector{pool(pools, silent)}, demand(1, 1), 0.9);
    for (const Budget& each : all) {
      EXPECT_EQ(each.status, Status::no_answer) << silent;
      EXPECT_TRUE(std::isnan(each.bytes) && std::isnan(each.tokens)) << silent;
      EXPECT_TRUE(std::isnan(concurrent_requests(each, demand(1, 1), 8))) << silent;
    }
  }
}

TEST(KvPools, TheCgroupLevelWithTheSmallestLimitDecides) {
  const double none = std::numeric_limits<double>::infinity();
  const std::vector<Pool> pools = pools_of(
      std::vector{reading("cgroup.max", none), reading("cgroup.current", 5), reading("cgroup^1.max", 100),
                  reading("cgroup^1.current", 40), reading("cgroup^2.max", 200),
                  reading("cgroup^2.current", 190), reading("cgroup.swap_max", 1)});
  EXPECT_EQ(pool(pools, "cgroup").total, 100);
  EXPECT_EQ(pool(pools, "cgroup").free, 60);
}

TEST(KvRules, AreTheProgramsFormulas) {
  const std::vector<Pool> pools = {{"cuda", 100, 95}};
  const std::vector<Budget> all = budgets(pools, demand(20, 2), 0.9);
  EXPECT_DOUBLE_EQ(budget(all, "trtllm").bytes, 0.9 * (100 - (5 + 20)));
  EXPECT_DOUBLE_EQ(budget(all, "vllm").bytes, 0.9 * 100 - 20);
  EXPECT_DOUBLE_EQ(budget(all, "sglang").bytes, (95 - 20) - 95 * (1 - 0.9));
  EXPECT_EQ(budget(all, "trtllm").tokens, 33);  // 67.5 / 2
}

TEST(KvRules, TheStudysConstantFollowsFromTensorRtLlmsRule) {
  // peak + KV/0.9 = total: what made "overhead" and "KV loss" one measurement.
  for (const double page_cache : {0.0, 10 * kGiB, 40 * kGiB}) {
    const std::vector<Pool> pools = {{"cuda", 119.7 * kGiB, 119.7 * kGiB - page_cache}};
    const double kv = budget(budgets(pools, demand(15 * kGiB, 1), 0.9), "trtllm").bytes;
    EXPECT_NEAR((15 * kGiB + page_cache) + kv / 0.9, 119.7 * kGiB, 1);
  }
}

TEST(KvRules, VllmDoesNotStartWhereItsPartIsNotFree) {
  const std::vector<Pool> pools = {{"cuda", 100, 89}};
  const std::vector<Budget> all = budgets(pools, demand(20, 1), 0.9);
  EXPECT_EQ(budget(all, "vllm").status, Status::refused);
  EXPECT_TRUE(std::isnan(budget(all, "vllm").bytes));
  EXPECT_EQ(budget(all, "trtllm").status, Status::fits);
}

TEST(KvRules, WeightsThatDoNotFitSayWhatIsMissing) {
  const std::vector<Pool> pools = {{"cuda", 100, 100}};
  const std::vector<Budget> all = budgets(pools, demand(145, 1), 0.9);
  EXPECT_EQ(budget(all, "vllm").status, Status::no_room);
  EXPECT_DOUBLE_EQ(budget(all, "vllm").bytes, 90 - 145);
  EXPECT_EQ(budget(all, "vllm").tokens, 0);
  EXPECT_EQ(concurrent_requests(budget(all, "vllm"), demand(145, 1), 8), 0);
}

TEST(KvDemand, Llama3AndItsContexts) {
  const auto model = inference::find_model("Meta-Llama-3-8B", std::nullopt);
  const Demand needs = demand_of(model.config, 2, 2);
  EXPECT_EQ(needs.kv_per_token, 128 * 1024);
  EXPECT_NEAR(needs.weights, 16.06e9, 0.01e9);
  const std::vector<Pool> pools = {{"cuda", 80 * kGiB, 80 * kGiB}};
  const Budget given = budget(budgets(pools, needs, 0.9), "trtllm");
  EXPECT_EQ(concurrent_requests(given, needs, 8192), std::floor(given.bytes / kGiB));
  EXPECT_EQ(concurrent_requests(given, needs, 131072), std::floor(given.bytes / (16 * kGiB)));
  EXPECT_EQ(demand_of(model.config, 0.5, 1).kv_per_token, 64 * 1024);
}

TEST(KvDemand, AWindowBoundsAContextsBytes) {
  Demand needs = demand(0, 10);
  needs.windows = {0, 100};
  EXPECT_EQ(needs.kv_of(50), 500);
  EXPECT_EQ(needs.kv_of(1000), 5 * 1000 + 5 * 100);
}

}  // namespace
}  // namespace sparkmpi::kernels::kv_budget
