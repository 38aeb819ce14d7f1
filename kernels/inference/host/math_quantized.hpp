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
  /// Lanes bytes as words.
  static Words widen(const std::byte* from) {
    // The masked forms: GCC 12 takes the plain ones' undefined operand for a fault.
#if defined(__AVX512F__)
    if constexpr (Lanes == 16)
      return reinterpret_cast<Words>(_mm512_maskz_cvtepu8_epi32(0xffff, load<__m128i>(from)));
#elif defined(__AVX2__)
    if constexpr (Lanes == 8)
      return reinterpret_cast<Words>(
          _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from))));
#endif
    return __builtin_convertvector(load<Bytes>(from), Words);
  }
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
#if defined(__AVX2__) && !defined(__AVX512F__)
    if constexpr (Lanes == 8) {
      const __m256 numbers = _mm256_setr_ps(0, 0.5F, 1, 1.5F, 2, 3, 4, 6);
      return with_sign(
          reinterpret_cast<Floats>(_mm256_permutevar8x32_ps(numbers, reinterpret_cast<__m256i>(codes))),
          (codes & 8U) << 28);
    }
#endif
    return with_sign(minifloat<1, 1>(codes & 7U), (codes & 8U) << 28);
  }

  /// Sixteen-bit pairs of E4M3 codes, the even and the odd ones, as floats times kFp8Unit.
#if defined(__AVX512F__) || defined(__F16C__)
  // The bits moved to a half's place are the number times 2^-8, subnormal ones as well.
  static constexpr float kFp8Unit = 0x1p-8F;
  static Floats from_half(Halves halves) {
#if defined(__AVX512F__)
    return reinterpret_cast<Floats>(_mm512_maskz_cvtph_ps(0xffff, reinterpret_cast<__m256i>(halves)));
#else
    return reinterpret_cast<Floats>(_mm256_cvtph_ps(reinterpret_cast<__m128i>(halves)));
#endif
  }
  static Halves all(std::uint16_t value) {
    return Halves{} + value;
  }
  static Floats even_e4m3(Halves pairs) {
    return from_half(((pairs & all(0x7f)) << 7) | ((pairs & all(0x80)) << 8));
  }
  static Floats odd_e4m3(Halves pairs) {
    return from_half(((pairs & all(0x7f00)) >> 1) | (pairs & all(0x8000)));
  }
#else
  static constexpr float kFp8Unit = 1;
  static Floats e4m3(Words codes) {
    return with_sign(minifloat<3, 7>(codes & 0x7fU), (codes & 0x80U) << 24);
  }
  static Floats even_e4m3(Halves pairs) {
    return e4m3(__builtin_convertvector(pairs, Words) & 0xffU);
  }
  static Floats odd_e4m3(Halves pairs) {
    return e4m3(__builtin_convertvector(pairs, Words) >> 8);
  }
#endif

#if defined(__AVX512F__)
  /// Sixteen numbers, looked up by the low four bits of each index.
  static Floats look_up(Words indices, Floats numbers) {
    return reinterpret_cast<Floats>(_mm512_maskz_permutexvar_ps(0xffff, reinterpret_cast<__m512i>(indices),
                                                                reinterpret_cast<__m512>(numbers)));
  }
#endif

  // One row of each format: start() goes to its beginning, block(i, w) widens its columns 32·i to 32·i + 31
  // into w, finish() is what the sum remains to be multiplied by.

  struct Fp8Row {
    void start(const QuantizedRows& rows, std::size_t row) {
      values = rows.values + row * rows.distance.values;
      std::memcpy(&scale, rows.scales + row * rows.distance.scales, sizeof scale);
    }
    void block(std::size_t i, Floats* w) {
      for (std::size_t part = 0; part < kParts; part += 2) {
        const Halves pairs = load<Halves>(values + i * kColumns + part * Lanes);
        w[part] = even_e4m3(pairs);
        w[part + 1] = odd_e4m3(pairs);
      }
    }
    float finish() const { return scale / kFp8Unit; }
    const std::byte* values = nullptr;
    float scale = 0;
  };

  struct Int4Row {
    void start(const QuantizedRows& rows, std::size_t row) {
      values = rows.values + row * rows.distance.values;
      scales = rows.scales + row * rows.distance.scales;
      zeros = reinterpret_cast<const std::uint8_t*>(rows.zeros + row * rows.distance.zeros);
    }
    void block(std::size_t i, Floats* w) {
      constexpr std::size_t kBlocks = 128 / kColumns;
      if (i % kBlocks == 0) next_group(i / kBlocks);
      for (std::size_t part = 0; part < kParts; part += 2) {
        const Words codes = widen(values + (i * kColumns + part * Lanes) / 2);
#if defined(__AVX512F__)
        w[part] = look_up(codes, numbers);
        w[part + 1] = look_up(codes >> 4, numbers);
#else
        w[part] = to_floats(codes & 0xfU) * scale + offset;
        w[part + 1] = to_floats(codes >> 4) * scale + offset;
#endif
      }
    }
    void next_group(std::size_t group) {
      std::uint16_t half = 0;
      std::memcpy(&half, scales + 2 * group, sizeof half);
      scale = half_to_float(half);
      offset = -scale * static_cast<float>(nibble(zeros, group));
#if defined(__AVX512F__)
      constexpr Floats kCodes = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
      numbers = kCodes * scale + offset;
#endif
    }
    static float finish() {
      return 1;
    }
    const std::byte* values = nullptr;
    const std::byte* scales = nullptr;
    const std::uint8_t* zeros = nullptr;
    float scale = 0, offset = 0;
#if defined(__AVX512F__)
    Floats numbers = {};
#endif
  };

  struct Mxfp4Row {
    void start(const QuantizedRows& rows, std::size_t row) {
      values = rows.values + row * rows.distance.values;
      scales = rows.scales + row * rows.distance.scales;
    }
    void block(std::size_t i, Floats* w) {
      const float scale = e8m0_to_float(std::to_integer<std::uint8_t>(scales[i]));
#if defined(__AVX512F__)
      constexpr Floats kNumbers = {0, 0.5F, 1, 1.5F, 2, 3, 4, 6, -0.0F, -0.5F, -1, -1.5F, -2, -3, -4, -6};
      const Floats numbers = kNumbers * scale;
#endif
      for (std::size_t part = 0; part < kParts; part += 2) {
        const Words codes = widen(values + (i * kColumns + part * Lanes) / 2);
#if defined(__AVX512F__)
        w[part] = look_up(codes, numbers);
        w[part + 1] = look_up(codes >> 4, numbers);
#else
        w[part] = e2m1(codes & 0xfU) * scale;
        w[part + 1] = e2m1(codes >> 4) * scale;
#endif
      }
    }
    static float finish() {
      return 1;
    }
    const std::byte* values = nullptr;
    const std::byte* scales = nullptr;
  };

  /// `Rows` rows by `Vectors` vectors with all sums in registers.
  template <class Row, std::size_t Rows, std::size_t Vectors>
  static void tile(const QuantizedRows& matrix, std::size_t first, const float* packed, float* y,
                   std::size_t y_stride) {
    Row rows[Rows];
    for (std::size_t r = 0; r < Rows; ++r) rows[r].start(matrix, first + r);
    Floats sums[Rows][Vectors] = {};
    for (std::size_t i = 0; i < matrix.stride / kColumns; ++i) {
      for (std::size_t r = 0; r < Rows; ++r) {
        Floats w[kParts];
        rows[r].block(i, w);
        for (std::size_t v = 0; v < Vectors; ++v) {
          const float* const x = packed + v * matrix.stride + i * kColumns;
          for (std::size_t part = 0; part < kParts; ++part)
            sums[r][v] += w[part] * Generic::load(x + part * Lanes);
        }
      }
    }
    for (std::size_t r = 0; r < Rows; ++r) {
      for (std::size_t v = 0; v < Vectors; ++v)
        y[v * y_stride + first + r] = Generic::sum(sums[r][v]) * rows[r].finish();
    }
  }

  template <class Row, std::size_t Vectors>
  static void all_rows(const QuantizedRows& matrix, const float* packed, float* y, std::size_t y_stride) {
    constexpr std::size_t kRows = rows_of_tile(Vectors);
    std::size_t row = 0;
    for (; row + kRows <= matrix.rows; row += kRows)
      tile<Row, kRows, Vectors>(matrix, row, packed, y, y_stride);
    for (; row < matrix.rows; ++row) tile<Row, 1, Vectors>(matrix, row, packed, y, y_stride);
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
