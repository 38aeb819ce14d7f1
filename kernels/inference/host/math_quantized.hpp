#pragma once
// Products of quantised rows with a few vectors, read as they are packed and widened in registers.
//
// The vectors are in packed order (MathGeneric::pack: within 2·Lanes columns the even, then the odd ones).
// That suits two codes a byte: of Lanes bytes the low nibbles are the even columns and the high ones the odd
// ones.
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include <cstring>

#include "kernels/inference/host/math_generic.hpp"

namespace sparkmpi::kernels::inference {

template <std::size_t Lanes>
struct MathQuantized {
  using Generic = MathGeneric<Lanes>;
  using Floats = typename Generic::Floats;
  using Words = typename Generic::Words;
  using Integers = typename Generic::Integers;
  typedef std::uint8_t Bytes __attribute__((vector_size(Lanes)));
  typedef std::uint16_t Halves __attribute__((vector_size(Lanes * 2)));

  /// Columns that are widened at a time, in so many vectors.
  static constexpr std::size_t kColumns = 32;
  static constexpr std::size_t kParts = kColumns / Lanes;

  template <class Vector>
  static Vector load(const std::byte* from) {
    Vector vector;
    std::memcpy(&vector, from, sizeof vector);
    return vector;
  }
  static Words nibbles(const std::byte* from) { return __builtin_convertvector(load<Bytes>(from), Words); }
  static Floats to_floats(Words values) {
    return __builtin_convertvector(reinterpret_cast<Integers>(values), Floats);
  }

  /// A number of few bits without its sign, `Mantissa` of them below the exponent with its bias: the bits are
  /// moved to a float's place. For subnormal ones a leading 1 is put in and taken away again.
  template <int Mantissa, std::uint32_t Bias>
  static Floats minifloat(Words magnitude) {
    constexpr std::uint32_t kOne = 1U << 23;
    constexpr std::uint32_t kLeast = (128 - Bias) << 23;  // the smallest normal number's bits
    const Words subnormal = reinterpret_cast<Words>(magnitude < (1U << Mantissa));
    const Words bits = (magnitude << (23 - Mantissa)) + ((127 - Bias) << 23) + (subnormal & kOne);
    return reinterpret_cast<Floats>(bits) - reinterpret_cast<Floats>(subnormal & kLeast);
  }
  static Floats with_sign(Floats magnitude, Words sign) {
    return reinterpret_cast<Floats>(reinterpret_cast<Words>(magnitude) | sign);
  }

  static Floats e2m1(Words codes) {
#if defined(__AVX512F__)
    if constexpr (Lanes == 16) {
      // The masked form: GCC 12 takes the plain one's undefined operand for a fault.
      const __m512 numbers =
          _mm512_setr_ps(0, 0.5F, 1, 1.5F, 2, 3, 4, 6, -0.0F, -0.5F, -1, -1.5F, -2, -3, -4, -6);
      return reinterpret_cast<Floats>(
          _mm512_maskz_permutexvar_ps(0xffff, reinterpret_cast<__m512i>(codes), numbers));
    }
#elif defined(__AVX2__)
    if constexpr (Lanes == 8) {
      const __m256 numbers = _mm256_setr_ps(0, 0.5F, 1, 1.5F, 2, 3, 4, 6);
      return with_sign(
          reinterpret_cast<Floats>(_mm256_permutevar8x32_ps(numbers, reinterpret_cast<__m256i>(codes))),
          (codes & 8U) << 28);
    }
#endif
    return with_sign(minifloat<1, 1>(codes & 7U), (codes & 8U) << 28);
  }
  static Floats e4m3(Words codes) {
    return with_sign(minifloat<3, 7>(codes & 0x7fU), (codes & 0x80U) << 24);
  }

  // One row of each format: block(i, w) widens its columns 32·i to 32·i + 31 into w, finish() is what remains
  // to be multiplied by.

  struct Fp8Row {
    Fp8Row(const QuantizedRows& rows, std::size_t row)
        : values(rows.values + row * rows.distance.values), scale(rows.scales + row * rows.distance.scales) {}
    void block(std::size_t i, Floats* w) {
      for (std::size_t part = 0; part < kParts; part += 2) {
        const Words pairs =
            __builtin_convertvector(load<Halves>(values + i * kColumns + part * Lanes), Words);
        w[part] = e4m3(pairs & 0xffU);
        w[part + 1] = e4m3(pairs >> 8);
      }
    }
    float finish() const {
      float factor = 0;
      std::memcpy(&factor, scale, sizeof factor);
      return factor;
    }
    const std::byte* values;
    const std::byte* scale;
  };

  struct Int4Row {
    Int4Row(const QuantizedRows& rows, std::size_t row)
        : values(rows.values + row * rows.distance.values),
          scales(rows.scales + row * rows.distance.scales),
          zeros(rows.zeros + row * rows.distance.zeros) {}
    void block(std::size_t i, Floats* w) {
      constexpr std::size_t kBlocks = 128 / kColumns;
      if (i % kBlocks == 0) {
        const std::size_t group = i / kBlocks;
        std::uint16_t half = 0;
        std::memcpy(&half, scales + 2 * group, sizeof half);
        scale = half_to_float(half);
        offset = -scale * static_cast<float>(nibble(reinterpret_cast<const std::uint8_t*>(zeros), group));
      }
      for (std::size_t part = 0; part < kParts; part += 2) {
        const Words codes = nibbles(values + (i * kColumns + part * Lanes) / 2);
        w[part] = to_floats(codes & 0xfU) * scale + offset;
        w[part + 1] = to_floats(codes >> 4) * scale + offset;
      }
    }
    static float finish() { return 1; }
    const std::byte* values;
    const std::byte* scales;
    const std::byte* zeros;
    float scale = 0, offset = 0;
  };

  struct Mxfp4Row {
    Mxfp4Row(const QuantizedRows& rows, std::size_t row)
        : values(rows.values + row * rows.distance.values),
          scales(rows.scales + row * rows.distance.scales) {}
    void block(std::size_t i, Floats* w) {
      const float scale = e8m0_to_float(std::to_integer<std::uint8_t>(scales[i]));
      for (std::size_t part = 0; part < kParts; part += 2) {
        const Words codes = nibbles(values + (i * kColumns + part * Lanes) / 2);
        w[part] = e2m1(codes & 0xfU) * scale;
        w[part + 1] = e2m1(codes >> 4) * scale;
      }
    }
    static float finish() { return 1; }
    const std::byte* values;
    const std::byte* scales;
  };

  template <class Row, std::size_t Vectors>
  static void all_rows(const QuantizedRows& matrix, const float* packed, float* y, std::size_t y_stride) {
    for (std::size_t row = 0; row < matrix.rows; ++row) {
      Row one(matrix, row);
      Floats sums[Vectors][2] = {};
      for (std::size_t i = 0; i < matrix.stride / kColumns; ++i) {
        Floats w[kParts];
        one.block(i, w);
        for (std::size_t v = 0; v < Vectors; ++v) {
          const float* const x = packed + v * matrix.stride + i * kColumns;
          for (std::size_t part = 0; part < kParts; ++part)
            sums[v][part % 2] += w[part] * Generic::load(x + part * Lanes);
        }
      }
      const float factor = one.finish();
      for (std::size_t v = 0; v < Vectors; ++v)
        y[v * y_stride + row] = Generic::sum(sums[v][0] + sums[v][1]) * factor;
    }
  }

  template <std::size_t Vectors>
  static void of_format(const QuantizedRows& matrix, const float* packed, float* y, std::size_t y_stride) {
    switch (matrix.format) {
      case WeightFormat::fp8_e4m3:
        return all_rows<Fp8Row, Vectors>(matrix, packed, y, y_stride);
      case WeightFormat::int4_awq:
        return all_rows<Int4Row, Vectors>(matrix, packed, y, y_stride);
      default:
        return all_rows<Mxfp4Row, Vectors>(matrix, packed, y, y_stride);
    }
  }

  static void matvec(const QuantizedRows& matrix, const float* packed, std::size_t vectors, float* y,
                     std::size_t y_stride) {
    switch (vectors) {
      case 1:
        return of_format<1>(matrix, packed, y, y_stride);
      case 2:
        return of_format<2>(matrix, packed, y, y_stride);
      case 3:
        return of_format<3>(matrix, packed, y, y_stride);
      case 4:
        return of_format<4>(matrix, packed, y, y_stride);
      case 5:
        return of_format<5>(matrix, packed, y, y_stride);
      case 6:
        return of_format<6>(matrix, packed, y, y_stride);
      case 7:
        return of_format<7>(matrix, packed, y, y_stride);
      default:
        return of_format<8>(matrix, packed, y, y_stride);
    }
  }
};

/// All operations at a width.
template <std::size_t Lanes>
MathOps math_ops_of(host::Simd simd) {
  MathOps ops = MathGeneric<Lanes>::ops(simd);
  ops.matvec_quantized = MathQuantized<Lanes>::matvec;
  return ops;
}

}  // namespace sparkmpi::kernels::inference
