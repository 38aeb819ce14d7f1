#include "kernels/inference/cuda/linear/ring_choice.hpp"

#include <gtest/gtest.h>

namespace sparkmpi::kernels::inference::gpu {
namespace {

constexpr WeightFormat kFormats[] = {WeightFormat::bf16, WeightFormat::fp8_e4m3, WeightFormat::int4_awq,
                                     WeightFormat::mxfp4};

/// An H100 80GB HBM3 as its driver describes it.
DeviceLimits h100() {
  return {132, 233472, 232448, bytes_under_way(2.0 * 2619e6 * 5120 / 8, 132), true, true};
}

struct Product {
  WeightFormat format;
  int rows, columns, vectors = 1;
  std::size_t vector_bytes() const {
    return static_cast<std::size_t>(vectors) * gpu::vector_bytes(format, units_of(format, columns));
  }
  std::size_t tile_bytes() const {
    return static_cast<std::size_t>(units_of(format, columns)) * static_cast<std::size_t>(unit_bytes(format));
  }
  RingShape ring(const DeviceLimits& limits, bool experts = false) const {
    return choose_ring({format, RowOrder::plain, rows, columns, nullptr, nullptr}, vectors, experts, limits);
  }
};

TEST(RingChoice, FitsTheMultiprocessorWhateverTheProduct) {
  DeviceLimits small = h100();
  small.shared_of_multiprocessor = 102400;  // compute capability 12.x
  small.shared_of_block = 101376;
  int served = 0;
  for (const DeviceLimits& limits : {h100(), small}) {
    for (const WeightFormat format : kFormats) {
      for (const int columns : {128, 1536, 4096, 8960, 14336, 28672}) {
        for (const int rows : {128, 2048, 28672}) {
          for (int vectors = 1; vectors <= 8; ++vectors) {
            const Product product{format, rows, columns, vectors};
            const RingShape ring = product.ring(limits);
            if (ring.stages == 0) continue;
            ++served;
            EXPECT_LE(ring.stages, kMostStages);
            EXPECT_GE(ring.shared_bytes, static_cast<std::size_t>(ring.stages) * stage_bytes(format) +
                                             kRingSums + product.vector_bytes());
            const std::size_t block = ring.shared_bytes + kRingStatic;
            EXPECT_LE(block, limits.shared_of_block);
            EXPECT_LE(static_cast<std::size_t>(ring.blocks_each) * (block + kReservedShared),
                      limits.shared_of_multiprocessor);
          }
        }
      }
    }
  }
  EXPECT_GT(served, 400);
}

TEST(RingChoice, ShortMatricesLeaveHalfAMultiprocessor) {
  const Product qkv{WeightFormat::bf16, 2048, 1536};  // Qwen2-1.5B
  const RingShape ring = qkv.ring(h100());
  EXPECT_EQ(ring.blocks_each, 1);
  EXPECT_GE(static_cast<std::size_t>(ring.stages) * stage_bytes(WeightFormat::bf16), qkv.tile_bytes());
  EXPECT_LE(2 * (ring.shared_bytes + kRingStatic + kReservedShared), h100().shared_of_multiprocessor);
}

TEST(RingChoice, TwoBlocksUnlessTilesAreLongOrRingsShort) {
  EXPECT_EQ((Product{WeightFormat::bf16, 28672, 4096}.ring(h100()).blocks_each), 2);
  EXPECT_EQ((Product{WeightFormat::bf16, 4096, 14336}.ring(h100()).blocks_each), 1);
  EXPECT_EQ((Product{WeightFormat::fp8_e4m3, 28672, 4096, 4}.ring(h100()).blocks_each), 2);
  EXPECT_EQ((Product{WeightFormat::fp8_e4m3, 28672, 4096, 8}.ring(h100()).blocks_each), 1);
  EXPECT_EQ((Product{WeightFormat::fp8_e4m3, 4096, 14336, 1}.ring(h100()).blocks_each), 2);
  EXPECT_EQ((Product{WeightFormat::fp8_e4m3, 4096, 14336, 2}.ring(h100()).blocks_each), 1);
  EXPECT_EQ((Product{WeightFormat::int4_awq, 8192, 8192}.ring(h100()).blocks_each), 2);
  EXPECT_EQ((Product{WeightFormat::mxfp4, 5760, 2880}.ring(h100(), true).blocks_each), 2);
  // Few tiles an expert, many in a launch.
  EXPECT_EQ((Product{WeightFormat::mxfp4, 1920, 2880}.ring(h100(), true).blocks_each), 2);
  EXPECT_EQ((Product{WeightFormat::mxfp4, 1920, 2880}.ring(h100()).blocks_each), 1);
}

TEST(RingChoice, NoneWithoutBulkCopiesOrRoom) {
  const Product product{WeightFormat::bf16, 28672, 4096};
  DeviceLimits limits = h100();
  limits.bulk_copies = false;
  EXPECT_EQ(product.ring(limits).stages, 0);
  limits = h100();
  limits.shared_of_block = limits.shared_of_multiprocessor = 65536;
  EXPECT_EQ(product.ring(limits).stages, 0);
}

TEST(StagesUnderWay, ShareWhatKeepsTheMemoryBusy) {
  const auto under_way = [](const Product& product, const DeviceLimits& limits) {
    return stages_under_way(product.format, product.ring(limits), limits);
  };
  const Product shared{WeightFormat::bf16, 28672, 4096}, alone{WeightFormat::bf16, 4096, 14336};
  EXPECT_EQ(under_way(shared, h100()), 2);
  EXPECT_EQ(under_way(alone, h100()), 4);
  EXPECT_EQ(under_way({WeightFormat::mxfp4, 11520, 2880}, h100()), 3);
  EXPECT_EQ(under_way({WeightFormat::fp8_e4m3, 28672, 4096}, h100()), 4);
  EXPECT_EQ(under_way({WeightFormat::fp8_e4m3, 28672, 4096, 8}, h100()), 8);

  DeviceLimits limits = h100();
  limits.bytes_under_way = 1;  // a slow memory: one stage at least, or nothing would ever come
  EXPECT_EQ(under_way(shared, limits), 1);
  limits.bytes_under_way = bytes_under_way(0, limits.multiprocessors);  // unknown: the whole ring
  EXPECT_EQ(under_way(shared, limits), shared.ring(limits).stages);
  EXPECT_EQ(under_way(alone, limits), alone.ring(limits).stages);
}

}  // namespace
}  // namespace sparkmpi::kernels::inference::gpu
