#pragma once
// Formats of the numbers that matrix units multiply.

#include <array>
#include <cstdint>
#include <string_view>

namespace sparkmpi::kernels {

enum class NumberFormat : std::uint8_t {
  fp32,      ///< IEEE single, on the ordinary units
  tf32,      ///< single in memory, multiplied with 11 significant bits
  bf16,      ///< 8 significant bits, the exponent of single
  fp16,      ///< IEEE half
  fp8_e4m3,  ///< 4 significant bits, largest value 448 (OCP 8-bit floating point specification 1.0)
};

struct NumberFormatInfo {
  NumberFormat format;
  std::string_view name;  ///< as `gemm --type` takes it
  int bytes;              ///< of an element in memory
};

inline constexpr std::array<NumberFormatInfo, 5> kNumberFormats = {{
    {NumberFormat::fp32, "fp32", 4},
    {NumberFormat::tf32, "tf32", 4},
    {NumberFormat::bf16, "bf16", 2},
    {NumberFormat::fp16, "fp16", 2},
    {NumberFormat::fp8_e4m3, "fp8", 1},
}};

}  // namespace sparkmpi::kernels
