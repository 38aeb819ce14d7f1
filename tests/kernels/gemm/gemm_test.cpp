#include <gtest/gtest.h>

#include <cmath>

#include "base/error.hpp"
#include "kernels/gemm/gemm_kernel.hpp"
#include "kernels/gemm/host/host_product.hpp"

namespace sparkmpi::kernels::gemm {
namespace {

TEST(Shape, IsOneEdgeOrThree) {
  const Shape square = parse_shape("4096");
  EXPECT_EQ(square.m, 4096);
  EXPECT_EQ(square.n, 4096);
  EXPECT_EQ(square.k, 4096);
  const Shape layer = parse_shape("28672x2048x4096");
  EXPECT_EQ(layer.m, 28672);
  EXPECT_EQ(layer.n, 2048);
  EXPECT_EQ(layer.k, 4096);
  EXPECT_DOUBLE_EQ(parse_shape("2x3x5").flops(), 60);
  for (const char* const wrong : {"", "0", "-1", "8x", "x8", "8x8", "8x8x8x8", "8.5", "8k", "99999999999"})
    EXPECT_THROW(parse_shape(wrong), UsageError) << wrong;
}

class HostGemm : public testing::Test {
 protected:
  host::ThreadTeam team_{{0, 0, 0}};
  const Precision single_ = precision_of(NumberFormat::fp32);
};

TEST_F(HostGemm, TheProductIsRightForOddShapesAndSharedWork) {
  for (const Shape& shape : {Shape{200, 100, 300}, Shape{1, 7, 5}, Shape{33, 1, 1}, Shape{16, 64, 1000}}) {
    HostProduct product(team_, shape);
    product.run();
    const double deviation = require_right(product.evidence(), shape, single_);
    EXPECT_GT(deviation, 0) << shape.m;  // no rounding at all would mean that nothing was computed
    EXPECT_LE(deviation, 1) << shape.m;
  }
}

TEST_F(HostGemm, AnElementThatIsWrongIsFoundWhereverItIs) {
  const Shape shape{200, 100, 300};
  HostProduct product(team_, shape);
  for (const std::size_t element : {0U, 7321U, 19999U}) {
    product.run();
    product.result()[element] += 0.05F;  // of elements of size √300
    EXPECT_THROW(require_right(product.evidence(), shape, single_), Error) << element;
  }
}

TEST_F(HostGemm, ExchangedColumnsAMissingTermAndNoResultAreFound) {
  const Shape shape{64, 32, 128};
  HostProduct product(team_, shape);
  EXPECT_THROW(require_right(product.evidence(), shape, single_), Error);
  product.run();
  std::swap(product.result()[3], product.result()[4]);
  EXPECT_THROW(require_right(product.evidence(), shape, single_), Error);
  product.run();
  product.result()[17] = std::nanf("");
  EXPECT_THROW(require_right(product.evidence(), shape, single_), Error);
}

TEST(Verification, RoundingOfEachFormatPassesAndThatOfACoarserOneDoesNot) {
  host::ThreadTeam team({0});
  const Shape shape{512, 64, 512};
  HostProduct product(team, shape);
  const auto round_to = [&](int significant_bits) {
    product.run();
    for (std::int64_t i = 0; i < shape.m * shape.n; ++i) {
      int exponent = 0;
      const float fraction = std::frexp(product.result()[i], &exponent);
      const float grid = std::exp2f(static_cast<float>(significant_bits));
      product.result()[i] = std::ldexp(std::nearbyint(fraction * grid) / grid, exponent);
    }
  };
  round_to(8);
  EXPECT_NO_THROW(require_right(product.evidence(), shape, precision_of(NumberFormat::bf16)));
  EXPECT_THROW(require_right(product.evidence(), shape, precision_of(NumberFormat::fp16)), Error);
  round_to(11);
  EXPECT_NO_THROW(require_right(product.evidence(), shape, precision_of(NumberFormat::fp16)));
  EXPECT_THROW(require_right(product.evidence(), shape, precision_of(NumberFormat::fp32)), Error);
  round_to(6);
  EXPECT_THROW(require_right(product.evidence(), shape, precision_of(NumberFormat::bf16)), Error);
}

class GemmKernel : public testing::Test {
 protected:
  static Parameters parameters(const std::string& type, const std::string& size) {
    return Parameters({{"type", type}, {"size", size}, {"repetitions", std::int64_t{5}}, {"max-time", 0.1}});
  }
  const Placement placement_{{}, {0}, {0}};
  const CudaModule cuda_;
  const Site site_{placement_, cuda_};
};

TEST_F(GemmKernel, RecordsRawRatesAndHowFarTheResultWasOff) {
  ledger::LedgerSet ledgers;
  const Clock clock;
  Recorder recorder(info().metrics, ledgers, clock);
  SoloCommunicator world;
  const StopSignal stop;
  const Parameters chosen = parameters("auto", "96x64x128");
  Context context{chosen, site_, world, recorder, stop};
  info().make()->run(context);
  const results::KernelRecord record = std::move(recorder).take();
  ASSERT_EQ(record.series.size(), 2U);
  EXPECT_EQ(record.series[0].metric, "verification_deviation");
  EXPECT_LE(record.series[0].values.at(0), 1);
  EXPECT_EQ(record.series[1].metric, "gemm_flops_per_s");
  EXPECT_EQ(record.series[1].values.size(), 5U);
  EXPECT_EQ(record.outcome.stop_reason, "count");
}

TEST_F(GemmKernel, RefusesWhatTheHostCannotMultiply) {
  const auto kernel = info().make();
  EXPECT_NO_THROW(kernel->check(parameters("fp32", "64"), site_));
  for (const char* const type : {"bf16", "fp8", "int3"})
    EXPECT_THROW(kernel->check(parameters(type, "64"), site_), UsageError) << type;
  EXPECT_THROW(kernel->check(parameters("fp32", "8x8"), site_), UsageError);
}

}  // namespace
}  // namespace sparkmpi::kernels::gemm
