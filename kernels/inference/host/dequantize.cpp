#include "kernels/inference/host/dequantize.hpp"

#include <array>
#include <cstring>

namespace sparkmpi::kernels::inference {
namespace {

template <std::size_t Codes, float (*ToFloat)(std::uint8_t)>
constexpr std::array<float, Codes> table_of() {
  std::array<float, Codes> table{};
  for (std::size_t code = 0; code < Codes; ++code) table[code] = ToFloat(static_cast<std::uint8_t>(code));
  return table;
}
constexpr auto kE4m3 = table_of<256, e4m3_to_float>();
constexpr auto kE2m1 = table_of<16, e2m1_to_float>();

void fp8_row(const std::uint8_t* codes, const std::byte* scales, std::size_t columns, float* to) {
  float scale = 0;
  std::memcpy(&scale, scales, sizeof scale);
  for (std::size_t c = 0; c < columns; ++c) to[c] = kE4m3[codes[c]] * scale;
}

void int4_row(const std::uint8_t* codes, const std::byte* scales, const std::uint8_t* zeros,
              std::size_t columns, float* to) {
  constexpr std::size_t kGroup = group_columns(WeightFormat::int4_awq);
  for (std::size_t first = 0; first < columns; first += kGroup) {
    std::uint16_t half = 0;
    std::memcpy(&half, scales + first / kGroup * 2, sizeof half);
    const float scale = half_to_float(half);
    const int zero = nibble(zeros, first / kGroup);
    for (std::size_t c = first; c < first + kGroup; ++c)
      to[c] = static_cast<float>(nibble(codes, c) - zero) * scale;
  }
}

void mxfp4_row(const std::uint8_t* codes, const std::byte* scales, std::size_t columns, float* to) {
  constexpr std::size_t kGroup = group_columns(WeightFormat::mxfp4);
  for (std::size_t first = 0; first < columns; first += kGroup) {
    const float scale = e8m0_to_float(std::to_integer<std::uint8_t>(scales[first / kGroup]));
    for (std::size_t c = first; c < first + kGroup; ++c) to[c] = kE2m1[nibble(codes, c)] * scale;
  }
}

}  // namespace

void dequantize(const QuantizedRows& matrix, float* to) {
  for (std::size_t row = 0; row < matrix.rows; ++row, to += matrix.stride) {
    const auto* const codes =
        reinterpret_cast<const std::uint8_t*>(matrix.values + row * matrix.distance.values);
    const std::byte* const scales = matrix.scales + row * matrix.distance.scales;
    const auto* const zeros =
        reinterpret_cast<const std::uint8_t*>(matrix.zeros + row * matrix.distance.zeros);
    switch (matrix.format) {
      case WeightFormat::fp8_e4m3:
        fp8_row(codes, scales, matrix.stride, to);
        break;
      case WeightFormat::int4_awq:
        int4_row(codes, scales, zeros, matrix.stride, to);
        break;
      default:
        mxfp4_row(codes, scales, matrix.stride, to);
        break;
    }
  }
}

}  // namespace sparkmpi::kernels::inference
