#include "kernels/inference/host/math_ops.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "kernels/inference/host/dequantize.hpp"
#include "kernels/inference/weights.hpp"

namespace sparkmpi::kernels::inference {
namespace {

/// Every instruction set that this machine has, against double precision.
class MathOpsTest : public testing::TestWithParam<host::Simd> {
 protected:
  void SetUp() override {
    if (!host::supported(GetParam())) GTEST_SKIP() << "this processor has no " << host::to_string(GetParam());
    ops_ = math_ops_for(GetParam());
  }
  float draw() { return distribution_(generator_); }
  std::vector<Bf16> draw_bf16(std::size_t count) {
    std::vector<Bf16> values(count);
    for (Bf16& value : values) value = to_bf16(draw());
    return values;
  }

  MathOps ops_;
  std::mt19937 generator_{7};
  std::normal_distribution<float> distribution_;
};

TEST_P(MathOpsTest, MatvecOfEverySizeAndNumberOfVectors) {
  for (const std::size_t columns : {1U, 31U, 32U, 33U, 96U, 577U}) {
    for (const std::size_t rows : {1U, 3U, 4U, 9U}) {
      const std::size_t stride = padded(columns);
      std::vector<Bf16> matrix(rows * stride, 0);
      for (std::size_t r = 0; r < rows; ++r) {
        for (std::size_t c = 0; c < columns; ++c) matrix[r * stride + c] = to_bf16(draw());
      }
      for (std::size_t vectors = 1; vectors <= MathOps::kMostVectors; ++vectors) {
        std::vector<float> x(vectors * columns), packed(vectors * stride), y(vectors * rows, -1);
        for (float& value : x) value = draw();
        for (std::size_t v = 0; v < vectors; ++v)
          ops_.pack(x.data() + v * columns, columns, stride, packed.data() + v * stride);
        ops_.matvec(matrix.data(), rows, stride, packed.data(), vectors, y.data(), rows);
        for (std::size_t v = 0; v < vectors; ++v) {
          for (std::size_t r = 0; r < rows; ++r) {
            double expected = 0, size = 0;
            for (std::size_t c = 0; c < columns; ++c) {
              const double product =
                  static_cast<double>(to_float(matrix[r * stride + c])) * x[v * columns + c];
              expected += product;
              size += std::abs(product);
            }
            // The BF16 instructions keep 16 bits of each x.
            EXPECT_NEAR(y[v * rows + r], expected, 3e-5 * size + 1e-6)
                << rows << 'x' << columns << ", vector " << v << " of " << vectors;
          }
        }
      }
    }
  }
}

/// Random codes with sensible scales, against the same rows dequantised.
TEST_P(MathOpsTest, QuantisedMatvecOfEveryFormat) {
  constexpr std::size_t kRows = 5, kColumns = 384;
  for (const WeightFormat format : {WeightFormat::fp8_e4m3, WeightFormat::int4_awq, WeightFormat::mxfp4}) {
    const RowBytes distance = row_bytes(format, kColumns);
    std::vector<std::byte> values(kRows * distance.values), scales(kRows * distance.scales),
        zeros(kRows * distance.zeros);
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<std::byte>(i * 37 + i / 256);  // every code, but for NaN
      if (format == WeightFormat::fp8_e4m3 && (values[i] & std::byte{0x7f}) == std::byte{0x7f})
        values[i] = std::byte{0x05};
    }
    for (std::byte& zero : zeros) zero = static_cast<std::byte>(generator_());
    for (std::size_t i = 0; i < kRows; ++i) {
      for (std::size_t g = 0; format == WeightFormat::mxfp4 && g < distance.scales; ++g)
        scales[i * distance.scales + g] = static_cast<std::byte>(120 + (i + g) % 9);
      for (std::size_t g = 0; format == WeightFormat::int4_awq && g < distance.scales / 2; ++g) {
        const std::uint16_t half = to_half(0.01F + 0.1F * std::abs(draw()));
        std::memcpy(scales.data() + i * distance.scales + 2 * g, &half, 2);
      }
      const float scale = 0.1F + std::abs(draw());
      if (format == WeightFormat::fp8_e4m3) std::memcpy(scales.data() + i * 4, &scale, 4);
    }
    const QuantizedRows matrix{format, values.data(), scales.data(), zeros.data(), distance, kRows, kColumns};
    std::vector<float> plain(kRows * kColumns);
    dequantize(matrix, plain.data());
    for (std::size_t vectors = 1; vectors <= MathOps::kMostVectors; ++vectors) {
      std::vector<float> x(vectors * kColumns), packed(x.size()), y(vectors * kRows, -1);
      for (float& value : x) value = draw();
      for (std::size_t v = 0; v < vectors; ++v)
        ops_.pack_query(x.data() + v * kColumns, kColumns, kColumns, packed.data() + v * kColumns);
      ops_.matvec_quantized(matrix, packed.data(), vectors, y.data(), kRows);
      for (std::size_t v = 0; v < vectors; ++v) {
        for (std::size_t r = 0; r < kRows; ++r) {
          double expected = 0, size = 0;
          for (std::size_t c = 0; c < kColumns; ++c) {
            const double product = static_cast<double>(plain[r * kColumns + c]) * x[v * kColumns + c];
            expected += product;
            size += std::abs(product);
          }
          EXPECT_NEAR(y[v * kRows + r], expected, 2e-6 * size) << to_string(format) << ", vector " << v;
        }
      }
    }
  }
}

TEST_P(MathOpsTest, QueriesComeBackAsTheyWent) {
  std::vector<float> x(80), packed(96), back(80);
  for (float& value : x) value = draw();
  ops_.pack_query(x.data(), x.size(), packed.size(), packed.data());
  ops_.unpack_sum(packed.data(), x.size(), back.data());
  EXPECT_EQ(back, x);
}

TEST_P(MathOpsTest, AttentionOverBlocksEqualsSoftmaxOverAll) {
  constexpr std::size_t kWidth = 64, kRows = 3;
  constexpr int kTokens = 37;
  const std::vector<Bf16> keys = draw_bf16(kTokens * kWidth), values = draw_bf16(kTokens * kWidth);
  std::vector<float> queries(kRows * kWidth), packed(kRows * kWidth), sums(kRows * kWidth, 0),
      scratch(2 * MathOps::kMostTokens * kWidth);
  for (float& value : queries) value = 0.3F * draw();
  for (std::size_t r = 0; r < kRows; ++r)
    ops_.pack_query(queries.data() + r * kWidth, kWidth, kWidth, packed.data() + r * kWidth);
  // A row that sees all, one with a window, one that ends early.
  const std::vector<std::int64_t> first = {0, 20, 0}, last = {36, 36, 17};
  std::vector<float> maximum(kRows, -INFINITY), total(kRows, 0);
  for (int begin = 0; begin < kTokens; begin += MathOps::kMostTokens) {
    const int tokens = std::min(MathOps::kMostTokens, kTokens - begin);
    ops_.attend({keys.data() + static_cast<std::size_t>(begin) * kWidth,
                 values.data() + static_cast<std::size_t>(begin) * kWidth, tokens, begin, kWidth, kRows,
                 packed.data(), first.data(), last.data(), maximum.data(), total.data(), sums.data(),
                 scratch.data()});
  }
  for (std::size_t r = 0; r < kRows; ++r) {
    std::vector<double> weights(kTokens, 0), expected(kWidth, 0);
    double all = 0;
    for (int t = 0; t < kTokens; ++t) {
      if (t < first[r] || t > last[r]) continue;
      double score = 0;
      for (std::size_t i = 0; i < kWidth; ++i)
        score += static_cast<double>(queries[r * kWidth + i]) *
                 to_float(keys[static_cast<std::size_t>(t) * kWidth + i]);
      weights[static_cast<std::size_t>(t)] = std::exp(score);
      all += std::exp(score);
    }
    for (int t = 0; t < kTokens; ++t) {
      for (std::size_t i = 0; i < kWidth; ++i)
        expected[i] += weights[static_cast<std::size_t>(t)] / all *
                       to_float(values[static_cast<std::size_t>(t) * kWidth + i]);
    }
    std::vector<float> out(kWidth);
    ops_.unpack_sum(sums.data() + r * kWidth, kWidth, out.data());
    for (std::size_t i = 0; i < kWidth; ++i)
      EXPECT_NEAR(out[i] / total[r], expected[i], 2e-5) << "row " << r << ", element " << i;
  }
}

TEST_P(MathOpsTest, SiluOfSmallAndLargeValues) {
  std::vector<float> gate = {-1e4F, -88.0F, -20.0F, -1.0F, -1e-6F, 0.0F, 1e-6F, 1.0F, 20.0F, 88.0F, 1e4F};
  while (gate.size() < 71) gate.push_back(5 * draw());
  std::vector<float> up(gate.size(), 2.0F), out(gate.size());
  ops_.silu_multiply(gate.data(), up.data(), gate.size(), out.data());
  for (std::size_t i = 0; i < gate.size(); ++i) {
    const double expected = 2 * static_cast<double>(gate[i]) / (1 + std::exp(-static_cast<double>(gate[i])));
    EXPECT_NEAR(out[i], expected, 1e-6 * std::abs(expected) + 1e-30 + (gate[i] < -80 ? 1e-33 : 0)) << gate[i];
  }
}

TEST_P(MathOpsTest, TheOtherActivations) {
  std::vector<float> gate = {-1e4F, -30.0F, -7.5F, -1.0F, 0.0F, 1e-3F, 1.0F, 6.9F, 7.1F, 30.0F, 1e4F};
  while (gate.size() < 71) gate.push_back(4 * draw());
  std::vector<float> up(gate.size()), out(gate.size());
  for (float& value : up) value = 6 * draw();
  up[0] = -8;
  up[1] = 8;
  ops_.gelu_multiply(gate.data(), up.data(), gate.size(), out.data());
  for (std::size_t i = 0; i < gate.size(); ++i) {
    const double g = gate[i];
    const double expected =
        0.5 * g * up[i] * (1 + std::tanh(std::sqrt(2 / M_PI) * (g + 0.044715 * g * g * g)));
    EXPECT_NEAR(out[i], expected, 2e-6 * std::abs(g * up[i]) + 1e-30) << g;
  }
  ops_.clamped_swiglu(gate.data(), up.data(), gate.size(), 7.0F, out.data());
  for (std::size_t i = 0; i < gate.size(); ++i) {
    const double g = std::min(gate[i], 7.0F), u = std::clamp(up[i], -7.0F, 7.0F);
    const double expected = g / (1 + std::exp(-1.702 * g)) * (u + 1);
    EXPECT_NEAR(out[i], expected, 2e-6 * std::abs(g * (u + 1)) + 1e-30) << g << ' ' << u;
  }
}

TEST_P(MathOpsTest, ExpandIsExact) {
  const std::vector<Bf16> values = draw_bf16(96);
  std::vector<float> out(96);
  ops_.expand(values.data(), values.size(), out.data());
  for (std::size_t i = 0; i < values.size(); ++i) EXPECT_EQ(out[i], to_float(values[i]));
}

INSTANTIATE_TEST_SUITE_P(All, MathOpsTest,
                         testing::Values(host::Simd::portable, host::Simd::avx2, host::Simd::avx512,
                                         host::Simd::avx512_bf16, host::Simd::neon, host::Simd::sve),
                         [](const auto& one) { return std::string(host::to_string(one.param)); });

TEST(Bf16Test, RoundsToNearestEven) {
  EXPECT_EQ(to_bf16(1.0F), 0x3f80);
  EXPECT_EQ(to_bf16(std::bit_cast<float>(0x3f808000U)), 0x3f80);  // a tie goes to the even one
  EXPECT_EQ(to_bf16(std::bit_cast<float>(0x3f818000U)), 0x3f82);
  EXPECT_EQ(to_bf16(std::bit_cast<float>(0x3f808001U)), 0x3f81);
  EXPECT_TRUE(std::isnan(to_float(to_bf16(std::nanf("")))));
  EXPECT_EQ(half_to_float(0x3c00), 1.0F);
  EXPECT_EQ(half_to_float(0x0001), 0x1p-24F);
  EXPECT_EQ(half_to_float(0xfbff), -65504.0F);
}

}  // namespace
}  // namespace sparkmpi::kernels::inference
