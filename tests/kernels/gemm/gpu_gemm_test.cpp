// Needs a GPU and cuBLASLt; without them each test says so and is skipped.

#include <gtest/gtest.h>

#include "base/error.hpp"
#include "kernels/gemm/gemm_kernel.hpp"
#include "kernels/gemm/product.hpp"

namespace sparkmpi::kernels::gemm {
namespace {

class GpuGemm : public testing::TestWithParam<NumberFormatInfo> {
 protected:
  void SetUp() override {
    if (cuda_.devices().empty()) GTEST_SKIP() << cuda_.reason();
    module_ = cuda_.find<CudaGemm>();
    ASSERT_NE(module_, nullptr);
    if (const std::string refusal = module_->refusal(0, GetParam().format); !refusal.empty())
      GTEST_SKIP() << refusal;
  }
  const CudaModule cuda_;
  const CudaGemm* module_ = nullptr;
};

TEST_P(GpuGemm, TheProductIsRightForSquareAndForLayers) {
  for (const Shape& shape :
       {Shape{256, 256, 256}, Shape{1536, 16, 512}, Shape{48, 272, 1040}, Shape{512, 512, 8192}}) {
    const auto product = module_->make(0, GetParam().format, shape);
    product->run();
    const double deviation = require_right(product->evidence(), shape, precision_of(GetParam().format));
    EXPECT_GT(deviation, 0) << shape.m;
    RecordProperty("deviation", std::to_string(deviation));
  }
}

TEST_P(GpuGemm, AnotherFormatsRoundingIsFound) {
  // BF16 and FP8 results have 8 significant bits, FP16 ones 11: checked as single precision they must fail.
  if (GetParam().bytes == 4) GTEST_SKIP() << "this format is single precision";
  const Shape shape{256, 256, 256};
  const auto product = module_->make(0, GetParam().format, shape);
  product->run();
  EXPECT_THROW(require_right(product->evidence(), shape, precision_of(NumberFormat::fp32)), Error);
}

INSTANTIATE_TEST_SUITE_P(Formats, GpuGemm, testing::ValuesIn(kNumberFormats),
                         [](const auto& format) { return std::string(format.param.name); });

}  // namespace
}  // namespace sparkmpi::kernels::gemm
