#include "ledger/what_is_left.hpp"

#include <gtest/gtest.h>

#include "ledger/ledger.hpp"

namespace sparkmpi::ledger {
namespace {

TEST(WhatIsLeft, FreeMemoryOnWhateverLedger) {
  for (const char* name :
       {"meminfo.MemFree", "meminfo.MemAvailable", "node1.MemFree", "cuda.free", "nvml.device_free",
        "meminfo.SwapFree", "meminfo.CmaFree", "vmstat.nr_free_pages", "zoneinfo.pcp_free"})
    EXPECT_TRUE(counts_what_is_left(name)) << name;
}

TEST(WhatIsLeft, NotWhatIsInUseNorWhatOnlySoundsAlike) {
  for (const char* name : {"meminfo.Cached", "meminfo.MemTotal", "cgroup.current", "cuda.used",
                           "nvml.device_used", "status.VmRSS", "vmstat.pgfree", "", "free.used"})
    EXPECT_FALSE(counts_what_is_left(name)) << name;
}

/// A new ledger of free memory must be put on the list: its name gives it away.
TEST(WhatIsLeft, KnowsEveryLedgerOfThisMachineThatIsNamedFreeOrAvailable) {
  const std::vector<Reading> readings = standard_ledgers().read();
  ASSERT_FALSE(readings.empty());
  for (const Reading& reading : readings) {
    if (reading.unit != "B") continue;
    const bool named = reading.name.ends_with("Free") || reading.name.ends_with("_free") ||
                       reading.name.ends_with(".free") || reading.name.ends_with("Available");
    EXPECT_EQ(counts_what_is_left(reading.name), named) << reading.name;
  }
}

}  // namespace
}  // namespace sparkmpi::ledger
