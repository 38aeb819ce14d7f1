#include "mpi/cpu_division.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace sparkmpi::mpi {
namespace {

using testing::ElementsAre;

/// `nodes` NUMA nodes of `each` cores with two hardware threads.
std::vector<Core> machine(int nodes, int each) {
  std::vector<Core> cores;
  for (int i = 0; i < nodes * each; ++i) cores.push_back({{i, i + nodes * each}, i / each});
  return cores;
}

TEST(DivideCpus, OneRankGetsOneThreadOfEveryCore) {
  const auto shares = divide_cpus(machine(2, 2), 1);
  EXPECT_THAT(shares[0].cpus, ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(shares[0].numa_nodes, ElementsAre(0, 1));
}

TEST(DivideCpus, RanksStayWithinANumaNode) {
  const auto shares = divide_cpus(machine(2, 4), 4);
  EXPECT_THAT(shares[0].cpus, ElementsAre(0, 1));
  EXPECT_THAT(shares[1].cpus, ElementsAre(2, 3));
  EXPECT_THAT(shares[2].cpus, ElementsAre(4, 5));
  for (const CpuShare& share : shares) EXPECT_EQ(share.numa_nodes.size(), 1U);
}

TEST(DivideCpus, EveryCoreHasExactlyOneOwner) {
  for (const int nodes : {1, 2, 4}) {
    for (const int each : {1, 3, 8}) {
      for (int ranks = 1; ranks <= nodes * each; ++ranks) {
        std::multiset<int> owned;
        for (const CpuShare& share : divide_cpus(machine(nodes, each), ranks)) {
          EXPECT_FALSE(share.cpus.empty());
          EXPECT_FALSE(share.shared);
          owned.insert(share.cpus.begin(), share.cpus.end());
        }
        EXPECT_EQ(owned.size(), static_cast<std::size_t>(nodes * each))
            << nodes << ' ' << each << ' ' << ranks;
        EXPECT_EQ(std::set<int>(owned.begin(), owned.end()).size(), owned.size());
      }
    }
  }
}

TEST(DivideCpus, MoreRanksThanCoresTakeTurnsAndKnowIt) {
  const auto shares = divide_cpus(machine(1, 2), 5);
  ASSERT_EQ(shares.size(), 5U);
  for (const CpuShare& share : shares) {
    EXPECT_EQ(share.cpus.size(), 1U);
    EXPECT_TRUE(share.shared);
  }
}

}  // namespace
}  // namespace sparkmpi::mpi
