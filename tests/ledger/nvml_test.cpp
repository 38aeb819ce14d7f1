#include "ledger/nvml.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace sparkmpi::ledger {
namespace {

TEST(Nvml, WithoutTheLibraryItSaysWhyAndNothingElseHappens) {
  const Nvml nvml("libno-such-nvml.so.1");
  EXPECT_FALSE(nvml.available());
  EXPECT_NE(nvml.reason().find("libno-such-nvml.so.1"), std::string::npos) << nvml.reason();
  EXPECT_EQ(nvml.reason().find('\n'), std::string::npos);
}

TEST(Nvml, WhatTheLibraryFillsInIsWhatIsRead) {
  const auto nvml = std::make_shared<Nvml>(SPARKMPI_FAKE_NVML);
  ASSERT_TRUE(nvml->available()) << nvml->reason();
  NvmlLedger ledger(nvml, "GPU-1", 1);
  std::vector<Reading> readings;
  ledger.read(readings);
  const auto value = [&](std::string_view name) {
    const auto found = std::ranges::find(readings, name, &Reading::name);
    return found != readings.end() && found->answer == Answer::value ? found->value : -1;
  };
  EXPECT_DOUBLE_EQ(value("nvml.power"), 123.456);
  EXPECT_DOUBLE_EQ(value("nvml.energy"), 7890.123);
  EXPECT_EQ(value("nvml.temperature"), 45);
  EXPECT_EQ(value("nvml.sm_clock"), 1980e6);
  EXPECT_EQ(value("nvml.memory_clock"), 2619e6);
  EXPECT_EQ(value("nvml.throttle_reasons"), 4);
  EXPECT_EQ(value("nvml.bar1_used"), 11);
  EXPECT_EQ(value("nvml.device_used"), -1);  // the fake has no such function: not supported, not 0
}

}  // namespace
}  // namespace sparkmpi::ledger
