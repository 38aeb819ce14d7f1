#include "ledger/nvidia_driver.hpp"

#include <gtest/gtest.h>

#include "tests/ledger/tree.hpp"

namespace sparkmpi::ledger {
namespace {

TEST(NvidiaDriver, SaysWhatDecidesWhereMemoryGoes) {
  const Attributes facts = nvidia_driver_facts(tree("gh200_numa"));
  EXPECT_EQ(sparkmpi::to_string(facts.at("nvidia_kernel_module")), "open");
  EXPECT_EQ(sparkmpi::to_string(facts.at("nvidia_CoherentGPUMemoryMode")), "\"numa\"");
  EXPECT_EQ(sparkmpi::to_string(facts.at("nvidia_uvm_disable_hmm")), "N");
  EXPECT_FALSE(facts.contains("nvidia_ModifyDeviceFiles")) << "it decides nothing about memory";
}

TEST(NvidiaDriver, IsAbsentWithoutOne) {
  EXPECT_TRUE(nvidia_driver_facts(tree("cgroup_v1")).empty());
}

TEST(CoherentMemory, ANodeWithoutCoresIsTheGpus) {
  EXPECT_EQ(coherent_memory_mode(tree("gh200_numa")), "numa");
  EXPECT_EQ(coherent_memory_mode(tree("gb10")), "cdmm");
}

}  // namespace
}  // namespace sparkmpi::ledger
