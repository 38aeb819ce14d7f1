// Compiled with -mavx512bf16 and called only where the processor has it: products of BF16 pairs by one
// instruction.
//
// VDPBF16PS wants both operands in BF16. The vector is split into a BF16 part and the BF16 part of what that
// leaves (x ≈ high + low, 16 mantissa bits in all), and both are multiplied: twice the instructions of a
// plain BF16 product, half those of widening, and nearly the accuracy of single precision.
#include <immintrin.h>

#include "kernels/inference/host/math_quantized.hpp"

namespace sparkmpi::kernels::inference {
namespace {

constexpr std::size_t kBlock = 32;

/// Per 32 columns: 32 high parts, then 32 low parts, in the room of 32 floats.
void pack(const float* x, std::size_t columns, std::size_t padded, float* packed) {
  for (std::size_t block = 0; block < padded; block += kBlock) {
    Bf16 parts[2 * kBlock];
    for (std::size_t i = 0; i < kBlock; ++i) {
      const float value = block + i < columns ? x[block + i] : 0;
      parts[i] = to_bf16(value);
      parts[kBlock + i] = to_bf16(value - to_float(parts[i]));
    }
    std::memcpy(packed + block, parts, sizeof parts);
  }
}

__m512bh load(const void* from) {
  return reinterpret_cast<__m512bh>(_mm512_loadu_si512(from));
}

template <std::size_t Rows, std::size_t Vectors>
void tile(const Bf16* matrix, std::size_t stride, const float* packed, float* y, std::size_t y_stride) {
  __m512 high[Rows][Vectors], low[Rows][Vectors];
  for (std::size_t r = 0; r < Rows; ++r) {
    for (std::size_t v = 0; v < Vectors; ++v) high[r][v] = low[r][v] = _mm512_setzero_ps();
  }
  const Bf16* ahead = matrix + Rows * stride + kPrefetchAhead;
  for (std::size_t column = 0; column < stride; column += kBlock) {
    for (std::size_t r = 0; r < Rows; ++r) {
      prefetch(ahead);
      ahead += kBlock;
      const __m512bh weights = load(matrix + r * stride + column);
      for (std::size_t v = 0; v < Vectors; ++v) {
        const float* const x = packed + v * stride + column;
        high[r][v] = _mm512_dpbf16_ps(high[r][v], weights, load(x));
        low[r][v] = _mm512_dpbf16_ps(low[r][v], weights, load(x + kBlock / 2));
      }
    }
  }
  for (std::size_t r = 0; r < Rows; ++r) {
    for (std::size_t v = 0; v < Vectors; ++v)
      y[v * y_stride + r] =
          MathGeneric<16>::sum(reinterpret_cast<MathGeneric<16>::Floats>(high[r][v] + low[r][v]));
  }
}

template <std::size_t Vectors>
void all_rows(const Bf16* matrix, std::size_t rows, std::size_t stride, const float* packed, float* y,
              std::size_t y_stride) {
  constexpr std::size_t kRows = rows_of_tile(Vectors);
  std::size_t row = 0;
  for (; row + kRows <= rows; row += kRows)
    tile<kRows, Vectors>(matrix + row * stride, stride, packed, y + row, y_stride);
  for (; row < rows; ++row) tile<1, Vectors>(matrix + row * stride, stride, packed, y + row, y_stride);
}

void matvec(const Bf16* matrix, std::size_t rows, std::size_t stride, const float* packed,
            std::size_t vectors, float* y, std::size_t y_stride) {
  switch (vectors) {
    case 1:
      return all_rows<1>(matrix, rows, stride, packed, y, y_stride);
    case 2:
      return all_rows<2>(matrix, rows, stride, packed, y, y_stride);
    case 3:
      return all_rows<3>(matrix, rows, stride, packed, y, y_stride);
    case 4:
      return all_rows<4>(matrix, rows, stride, packed, y, y_stride);
    case 5:
      return all_rows<5>(matrix, rows, stride, packed, y, y_stride);
    case 6:
      return all_rows<6>(matrix, rows, stride, packed, y, y_stride);
    case 7:
      return all_rows<7>(matrix, rows, stride, packed, y, y_stride);
    default:
      return all_rows<8>(matrix, rows, stride, packed, y, y_stride);
  }
}

}  // namespace

MathOps math_ops_avx512_bf16() {
  MathOps ops = math_ops_of<16>(host::Simd::avx512_bf16);
  ops.pack = pack;
  ops.matvec = matvec;
  return ops;
}

}  // namespace sparkmpi::kernels::inference
