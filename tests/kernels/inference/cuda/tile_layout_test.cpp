#include "kernels/inference/cuda/linear/tile_layout.cuh"

#include <gtest/gtest.h>

#include <set>

namespace sparkmpi::kernels::inference::gpu {
namespace {

TEST(VectorLayout, SumsLieBehindTheColumnsAndBeforeTheNextVector) {
  for (const WeightFormat format :
       {WeightFormat::bf16, WeightFormat::fp8_e4m3, WeightFormat::int4_awq, WeightFormat::mxfp4}) {
    for (int units = 1; units < 300; ++units) {
      const std::uint32_t bytes = vector_bytes(format, units);
      const auto columns = static_cast<std::uint32_t>(units * unit_columns(format) * 2);
      EXPECT_EQ(bytes % 128, 64U);
      EXPECT_GE(bytes, columns);
      if (!has_unit_sums(format)) continue;
      for (int vector = 0; vector < 8; ++vector) {
        const std::uint32_t sums = unit_sums_place(format, units, vector);
        EXPECT_GE(sums, columns);
        EXPECT_LE(sums + static_cast<std::uint32_t>(units) * 4, bytes);
      }
    }
  }
}

TEST(VectorLayout, SumsOfEveryOtherVectorLieInDifferentBanks) {
  const std::uint32_t bytes = vector_bytes(WeightFormat::int4_awq, 64);
  for (const int first : {0, 1}) {
    std::set<std::uint32_t> banks;
    for (int vector = first; vector < 8; vector += 2) {
      const std::uint32_t place = unit_sums_place(WeightFormat::int4_awq, 64, vector);
      banks.insert((static_cast<std::uint32_t>(vector) * bytes + place) / 4 % 32);
    }
    EXPECT_EQ(banks.size(), 4U);
  }
}

}  // namespace
}  // namespace sparkmpi::kernels::inference::gpu
