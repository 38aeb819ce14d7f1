#include "ledger/meminfo.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/ledger/tree.hpp"

namespace sparkmpi::ledger {
namespace {

TEST(Meminfo, KilobytesOfTheFileAreKibibytes) {
  const auto readings = read_all("gb10");
  EXPECT_EQ(reading_of(readings, "meminfo.MemTotal").value, 125514547.0 * 1024);
  EXPECT_EQ(reading_of(readings, "meminfo.MemFree").value, 44040192.0 * 1024);
  EXPECT_EQ(reading_of(readings, "meminfo.MemFree").unit, "B");
}

TEST(Meminfo, AFieldThatTheKernelLacksIsAbsentAndNotZero) {
  const auto readings = read_all("gb10");
  EXPECT_EQ(reading_of(readings, "meminfo.CmaFree").answer, Answer::absent);
  EXPECT_TRUE(std::isnan(reading_of(readings, "meminfo.CmaFree").value));
}

TEST(NumaMeminfo, AMemoryOnlyNodeIsALedgerButNoPlaceForARank) {
  const FileRoot root = tree("gh200_numa");
  EXPECT_THAT(numa_nodes(root), testing::ElementsAre(0, 1));
  EXPECT_TRUE(node_has_cpus(root, 0));
  EXPECT_FALSE(node_has_cpus(root, 1));
  EXPECT_EQ(reading_of(read_all("gh200_numa"), "node1.MemFree").value, 94371840.0 * 1024);
}

TEST(Pressure, TotalsAreSeconds) {
  EXPECT_DOUBLE_EQ(reading_of(read_all("gb10"), "psi.memory.some.total").value, 1.5);
  EXPECT_EQ(reading_of(read_all("cgroup_v1"), "psi.memory.some.total").answer, Answer::absent);
}

TEST(StandardLedgers, NamesAndTheirOrderNeverChange) {
  LedgerSet ledgers = standard_ledgers();
  const auto first = ledgers.read(), second = ledgers.read();
  ASSERT_EQ(first.size(), second.size());
  for (std::size_t i = 0; i < first.size(); ++i) EXPECT_EQ(first[i].name, second[i].name);
  EXPECT_GT(reading_of(first, "status.VmRSS").value, 0);
}

}  // namespace
}  // namespace sparkmpi::ledger
