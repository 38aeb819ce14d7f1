#include "results/memory_balance.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace sparkmpi::results {
namespace {

ledger::Snapshot snapshot(const std::string& moment, double free, double anonymous, double device = NAN) {
  const auto reading = [](const char* name, double value) {
    const bool answered = !std::isnan(value);
    return ledger::Reading{name, "B", answered ? ledger::Answer::value : ledger::Answer::absent, value};
  };
  return {moment,
          0,
          {reading("meminfo.MemFree", free), reading("meminfo.AnonPages", anonymous),
           reading("nvml.process_used", device)}};
}

RankInfo rank(std::int64_t node, const char* memory_model) {
  return {{{"node", node}, {"memory_model", std::string(memory_model)}}};
}

StoredKernel kernel(std::vector<std::vector<ledger::Snapshot>> ranks) {
  StoredKernel stored;
  for (std::vector<ledger::Snapshot>& snapshots : ranks) {
    stored.ranks.emplace_back();
    stored.ranks.back().snapshots = std::move(snapshots);
  }
  return stored;
}

double device_change(const NodeBalance& each) {
  for (const ledger::BalanceTerm& term : each.balance.terms) {
    if (term.name == "device") return term.change;
  }
  return NAN;
}

TEST(NodeBalances, OneForEachNodeFromItsFirstRank) {
  ResultFile file;
  file.ranks = {rank(0, "host"), rank(0, "host"), rank(1, "host")};
  const StoredKernel stored = kernel({{snapshot("before", 100, 0), snapshot("after", 60, 40)},
                                      {snapshot("before", 101, 0), snapshot("after", 1, 40)},
                                      {snapshot("before", 100, 0), snapshot("after", 90, 10)}});
  const std::vector<NodeBalance> balances = node_balances(file, stored);
  ASSERT_EQ(balances.size(), 2U);
  EXPECT_EQ(balances[0].balance.free_change, -40);
  EXPECT_EQ(balances[1].rank, 2U);
  EXPECT_EQ(balances[1].balance.free_change, -10);
}

TEST(NodeBalances, TheNamedMomentWithTheLeastFreeIsMarked) {
  ResultFile file;
  file.ranks = {rank(0, "host")};
  const StoredKernel stored =
      kernel({{snapshot("before", 100, 0), snapshot("loaded", 70, 30), snapshot("full", 20, 80),
               snapshot("measured", 30, 70), snapshot("after", 10, 90)}});
  std::vector<std::string> marked;
  for (const NodeBalance& each : node_balances(file, stored)) {
    if (each.least_free) marked.push_back(each.to);
  }
  EXPECT_EQ(marked, std::vector<std::string>{"full"});
}

TEST(NodeBalances, AnIntegratedDeviceIsATermOfAllItsNodesRanks) {
  ResultFile file;
  file.ranks = {rank(0, "integrated"), rank(0, "integrated")};
  const StoredKernel stored = kernel({{snapshot("before", 100, 0, 5), snapshot("after", 40, 0, 35)},
                                      {snapshot("before", 100, 0, 5), snapshot("after", 40, 0, 35)}});
  const std::vector<NodeBalance> balances = node_balances(file, stored);
  ASSERT_EQ(balances.size(), 1U);
  EXPECT_EQ(device_change(balances[0]), -60);
  EXPECT_EQ(balances[0].balance.residual, 0);
}

TEST(NodeBalances, ADeviceThatOneRankCannotSayIsInTheResidual) {
  ResultFile file;
  file.ranks = {rank(0, "integrated"), rank(0, "integrated")};
  const StoredKernel stored = kernel({{snapshot("before", 100, 0, 5), snapshot("after", 40, 0, 35)},
                                      {snapshot("before", 100, 0), snapshot("after", 40, 0)}});
  const std::vector<NodeBalance> balances = node_balances(file, stored);
  ASSERT_EQ(balances.size(), 1U);
  EXPECT_TRUE(std::isnan(device_change(balances[0])));
  EXPECT_EQ(balances[0].balance.residual, -60);
}

TEST(NodeBalances, ADiscreteDeviceIsNone) {
  ResultFile file;
  file.ranks = {rank(0, "managed")};
  const std::vector<NodeBalance> balances =
      node_balances(file, kernel({{snapshot("before", 100, 0, 5), snapshot("after", 100, 0, 35)}}));
  ASSERT_EQ(balances.size(), 1U);
  EXPECT_TRUE(std::isnan(device_change(balances[0])));
  EXPECT_EQ(balances[0].balance.residual, 0);
}

TEST(NodeBalances, AKernelThatDiedBeforeItsFirstMomentHasNone) {
  ResultFile file;
  file.ranks = {rank(0, "host")};
  EXPECT_TRUE(node_balances(file, kernel({{}})).empty());
}

}  // namespace
}  // namespace sparkmpi::results
