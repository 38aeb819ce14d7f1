#include "kernels/device/datasheet.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/device/gpu_state.hpp"

namespace sparkmpi::kernels {
namespace {

TEST(Datasheet, KnowsDevicesByTheirExactName) {
  const Datasheet h100 = datasheet_of("NVIDIA H100 80GB HBM3");
  EXPECT_DOUBLE_EQ(h100.memory_bytes_per_s, 3.352e12);
  EXPECT_DOUBLE_EQ(h100.flops_per_s(NumberFormat::bf16), h100.flops_per_s(NumberFormat::fp16));
  EXPECT_DOUBLE_EQ(h100.flops_per_s(NumberFormat::fp8_e4m3), 1978.9e12);
  EXPECT_FALSE(h100.source.empty());
  EXPECT_DOUBLE_EQ(datasheet_of("NVIDIA GB10").memory_bytes_per_s, 273e9);
}

TEST(Datasheet, WhatIsNotPublishedHasNoValue) {
  EXPECT_TRUE(std::isnan(datasheet_of("NVIDIA A100-SXM4-80GB").flops_per_s(NumberFormat::fp8_e4m3)));
  EXPECT_TRUE(std::isnan(datasheet_of("NVIDIA GB10").flops_per_s(NumberFormat::bf16)));
}

TEST(Datasheet, AnUnknownNameIsNeverGuessed) {
  for (const std::string_view name :
       {"", "NVIDIA H100", "NVIDIA H100 80GB HBM3 MIG 1g.10gb", "AMD EPYC 7543"}) {
    const Datasheet unknown = datasheet_of(name);
    EXPECT_TRUE(std::isnan(unknown.memory_bytes_per_s)) << name;
    for (const NumberFormatInfo& format : kNumberFormats)
      EXPECT_TRUE(std::isnan(unknown.flops_per_s(format.format))) << name << ' ' << format.name;
    EXPECT_TRUE(unknown.source.empty()) << name;
  }
}

TEST(ThrottleReasons, OnlyWhatHoldsTheClocksDownCounts) {
  EXPECT_EQ(throttle_text(0), "");
  EXPECT_EQ(throttle_text(0x1 | 0x2 | 0x10 | 0x100), "");  // idle, application and display clocks, sync boost
  EXPECT_EQ(throttle_text(0x1 | 0x4), "power cap");
  EXPECT_EQ(throttle_text(0x20 | 0x80), "heat (software), power brake");
}

}  // namespace
}  // namespace sparkmpi::kernels
