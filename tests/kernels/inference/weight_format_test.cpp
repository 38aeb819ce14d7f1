#include "kernels/inference/weight_format.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace sparkmpi::kernels::inference {
namespace {

static_assert(e4m3_to_float(0x7e) == kE4m3Largest);  // usable in constant expressions, as device code does

TEST(E4m3, EveryCodeMeansWhatTheFormatSays) {
  for (int code = 0; code < 256; ++code) {
    const int exponent = (code >> 3) & 15, mantissa = code & 7;
    const float value = e4m3_to_float(static_cast<std::uint8_t>(code));
    if ((code & 0x7f) == 0x7f) {
      EXPECT_TRUE(std::isnan(value));
      continue;
    }
    const double magnitude =
        exponent == 0 ? std::ldexp(mantissa, -9) : std::ldexp(8 + mantissa, exponent - 10);
    EXPECT_EQ(value, code >= 128 ? -magnitude : magnitude) << code;
    EXPECT_EQ(std::signbit(value), code >= 128) << code;
  }
}

TEST(E4m3, EncodingGivesEveryCodeBackAndRoundsTiesToEven) {
  for (int code = 0; code < 256; ++code) {
    if ((code & 0x7f) == 0x7f) continue;
    EXPECT_EQ(to_e4m3(e4m3_to_float(static_cast<std::uint8_t>(code))), code);
  }
  for (int code = 0; code < 0x7e; ++code) {
    const float low = e4m3_to_float(static_cast<std::uint8_t>(code)),
                high = e4m3_to_float(static_cast<std::uint8_t>(code + 1)), middle = (low + high) / 2;
    const int even = code % 2 == 0 ? code : code + 1;
    EXPECT_EQ(to_e4m3(middle), even) << code;
    EXPECT_EQ(to_e4m3(-middle), even | 0x80) << code;
    EXPECT_EQ(to_e4m3(std::nextafter(middle, 0.0F)), code);
    EXPECT_EQ(to_e4m3(std::nextafter(middle, 500.0F)), code + 1);
  }
}

TEST(E4m3, LargeNumbersAreCutAndNanStays) {
  for (const float value : {448.0F, 449.0F, 464.0F, 1e30F, INFINITY}) {
    EXPECT_EQ(to_e4m3(value), 0x7e) << value;
    EXPECT_EQ(to_e4m3(-value), 0xfe) << value;
  }
  EXPECT_EQ(to_e4m3(std::nanf("")) & 0x7f, 0x7f);
  EXPECT_EQ(to_e4m3(1e-30F), 0);
}

TEST(Mxfp4, EveryCodeAndEveryScale) {
  const float values[] = {0, 0.5F, 1, 1.5F, 2, 3, 4, 6};
  for (int code = 0; code < 16; ++code) {
    const float value = e2m1_to_float(static_cast<std::uint8_t>(code));
    EXPECT_EQ(value, code < 8 ? values[code] : -values[code - 8]);
    EXPECT_EQ(std::signbit(value), code >= 8);
  }
  for (int code = 0; code < 255; ++code)
    EXPECT_EQ(e8m0_to_float(static_cast<std::uint8_t>(code)), std::ldexp(1.0F, code - 127)) << code;
  EXPECT_TRUE(std::isnan(e8m0_to_float(255)));
}

TEST(Half, EveryNumberComesBack) {
  for (std::uint32_t code = 0; code < 0x10000; ++code) {
    const auto half = static_cast<std::uint16_t>(code);
    const float value = half_to_float(half);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(half_to_float(to_half(value))));
    } else {
      ASSERT_EQ(to_half(value), half);
    }
    if ((half & 0x7fffU) >= 0x7c00U) continue;
    // Between two neighbours a tie goes to the even one; beyond the last one, to infinity.
    const float next = (half & 0x7fffU) == 0x7bffU ? std::copysign(65536.0F, value)
                                                   : half_to_float(static_cast<std::uint16_t>(half + 1));
    ASSERT_EQ(to_half((value + next) / 2), half % 2 == 0 ? half : half + 1) << value;
  }
}

TEST(WeightFormat, RowsHaveTheBytesOfTheirPlanes) {
  EXPECT_EQ(row_bytes(WeightFormat::bf16, 96).all(), 192U);
  EXPECT_EQ(row_bytes(WeightFormat::fp8_e4m3, 96).all(), 100U);
  const RowBytes awq = row_bytes(WeightFormat::int4_awq, 384);
  EXPECT_EQ(awq.values, 192U);
  EXPECT_EQ(awq.scales, 6U);
  EXPECT_EQ(awq.zeros, 2U);  // three groups
  const RowBytes mxfp4 = row_bytes(WeightFormat::mxfp4, 2880);
  EXPECT_EQ(8.0 * static_cast<double>(mxfp4.all()) / 2880, 4.25);
  EXPECT_EQ(parse_weight_format("awq"), WeightFormat::int4_awq);
  EXPECT_FALSE(parse_weight_format("int4"));
}

}  // namespace
}  // namespace sparkmpi::kernels::inference
