#pragma once
// The operations over vectors of GCC's own kind, `Lanes` floats wide; each instruction set's translation unit
// instantiates them.
//
// BF16 is widened without shuffles: a vector of 32-bit words holds pairs of elements, of which the even ones
// become floats by a shift and the odd ones by a mask. The other operand is kept in the same order
// ("packed"): within each 2·Lanes elements the even, then the odd ones.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "kernels/inference/host/math_ops.hpp"

namespace sparkmpi::kernels::inference {

/// A tile reads several rows at once, a pattern that hardware prefetchers follow badly (10 GB/s a core where
/// reading in order gave 30, tests/bench/matvec_bench.cpp). So each step asks for the next line in the order
/// of memory, this many elements beyond the present tile, into the second-level cache.
inline constexpr std::size_t kPrefetchAhead = 1024;
inline void prefetch(const Bf16* line) {
  __builtin_prefetch(line, 0, 2);  // beyond the matrix's end it does nothing
}

/// Rows that a tile of so many vectors has: loads of the vectors are shared between rows, and all sums fit
/// the registers.
constexpr std::size_t rows_of_tile(std::size_t vectors) {
  return vectors <= 2 ? 4 : vectors <= 4 ? 2 : 1;
}

template <std::size_t Lanes>
struct MathGeneric {
  typedef float Floats __attribute__((vector_size(Lanes * 4)));
  typedef std::uint32_t Words __attribute__((vector_size(Lanes * 4)));
  typedef std::int32_t Integers __attribute__((vector_size(Lanes * 4)));
  static constexpr std::size_t kBlock = 2 * Lanes;

  static Floats load(const float* from) {
    Floats vector;
    std::memcpy(&vector, from, sizeof vector);
    return vector;
  }
  static void store(float* to, Floats vector) { std::memcpy(to, &vector, sizeof vector); }
  static Words load_pairs(const Bf16* from) {
    Words vector;
    std::memcpy(&vector, from, sizeof vector);
    return vector;
  }
  static Floats even(Words pairs) { return reinterpret_cast<Floats>(pairs << 16); }
  static Floats odd(Words pairs) { return reinterpret_cast<Floats>(pairs & 0xffff0000U); }

  /// In halves, as a tree: the same rounding whatever the compiler does, and no way through memory, whose
  /// latency a short row would feel.
  static float sum(Floats vector) { return fold(vector, std::make_index_sequence<Lanes / 2>()); }
  template <class Vector, std::size_t... i>
  static float fold(Vector vector, std::index_sequence<i...>) {
    constexpr std::size_t kHalf = sizeof...(i);
    if constexpr (kHalf == 1) {
      return vector[0] + vector[1];
    } else {
      const auto halves = __builtin_shufflevector(vector, vector, static_cast<int>(i)...) +
                          __builtin_shufflevector(vector, vector, static_cast<int>(i + kHalf)...);
      return fold(halves, std::make_index_sequence<kHalf / 2>());
    }
  }

  static void pack(const float* x, std::size_t columns, std::size_t padded, float* packed) {
    for (std::size_t block = 0; block < padded; block += kBlock) {
      for (std::size_t i = 0; i < Lanes; ++i) {
        const std::size_t first = block + 2 * i;
        packed[block + i] = first < columns ? x[first] : 0;
        packed[block + Lanes + i] = first + 1 < columns ? x[first + 1] : 0;
      }
    }
  }

  static void unpack(const float* packed, std::size_t columns, float* x) {
    for (std::size_t i = 0; i < columns; ++i) {
      const std::size_t within = i % kBlock;
      x[i] = packed[i - within + within / 2 + (within % 2) * Lanes];
    }
  }

  /// `Rows` rows by `Vectors` vectors with all sums in registers.
  template <std::size_t Rows, std::size_t Vectors>
  static void tile(const Bf16* matrix, std::size_t stride, const float* packed, float* y,
                   std::size_t y_stride) {
    // With few sums each gets a twin, so that additions don't wait for one another.
    constexpr std::size_t kTwins = Rows * Vectors >= 8 ? 1 : 2;
    Floats sums[Rows][Vectors][kTwins] = {};
    const Bf16* ahead = matrix + Rows * stride + kPrefetchAhead;
    for (std::size_t column = 0; column < stride; column += kBlock) {
      for (std::size_t r = 0; r < Rows; ++r) {
        prefetch(ahead);
        ahead += kBlock;
        const Words pairs = load_pairs(matrix + r * stride + column);
        const Floats evens = even(pairs), odds = odd(pairs);
        for (std::size_t v = 0; v < Vectors; ++v) {
          const float* const x = packed + v * stride + column;
          sums[r][v][0] += evens * load(x);
          sums[r][v][kTwins - 1] += odds * load(x + Lanes);
        }
      }
    }
    for (std::size_t r = 0; r < Rows; ++r) {
      for (std::size_t v = 0; v < Vectors; ++v) {
        y[v * y_stride + r] = sum(kTwins == 2 ? sums[r][v][0] + sums[r][v][1] : sums[r][v][0]);
      }
    }
  }

  template <std::size_t Vectors>
  static void all_rows(const Bf16* matrix, std::size_t rows, std::size_t stride, const float* packed,
                       float* y, std::size_t y_stride) {
    constexpr std::size_t kRows = rows_of_tile(Vectors);
    std::size_t row = 0;
    for (; row + kRows <= rows; row += kRows)
      tile<kRows, Vectors>(matrix + row * stride, stride, packed, y + row, y_stride);
    for (; row < rows; ++row) tile<1, Vectors>(matrix + row * stride, stride, packed, y + row, y_stride);
  }

  static void matvec(const Bf16* matrix, std::size_t rows, std::size_t stride, const float* packed,
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

  static void expand(const Bf16* from, std::size_t count, float* to) {
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint32_t bits = static_cast<std::uint32_t>(from[i]) << 16;
      std::memcpy(to + i, &bits, sizeof bits);
    }
  }

  /// e^x for x ≤ 0 within 3e-7 relative: 2^n by the exponent's bits times the Taylor series of 2^f around 0,
  /// |f| ≤ 1/2.
  static Floats exponential(Floats x) {
    const Floats least = Floats{} - 87.0F;
    const Floats clamped = x > least ? x : least;
    const Floats scaled = clamped * 1.442695040888963F;
    const Floats magic = Floats{} + 12582912.0F;  // 1.5 · 2^23: adding it rounds to a whole number
    const Floats shifted = scaled + magic;
    const Floats whole = shifted - magic;
    const Floats f = scaled - whole;
    Floats series = Floats{} + 1.540353e-4F;
    series = series * f + 1.3333558e-3F;
    series = series * f + 9.6181291e-3F;
    series = series * f + 5.5504109e-2F;
    series = series * f + 0.24022651F;
    series = series * f + 0.69314718F;
    series = series * f + 1.0F;
    const Integers exponent = reinterpret_cast<Integers>(shifted) << 23;
    return reinterpret_cast<Floats>(reinterpret_cast<Integers>(series) + exponent);
  }

  /// a·σ(z). For z < 0: a·e^z/(1 + e^z); for z ≥ 0: a/(1 + e^-z): the exponential's argument is never
  /// positive.
  static Floats times_sigmoid(Floats a, Floats z) {
    const Floats zero = Floats{};
    const Floats e = exponential(z < zero ? z : -z);
    return (z < zero ? a * e : a) / (e + 1.0F);
  }

  /// out[i] = f(gate[i], up[i]); what is left over goes through a vector as well.
  template <class Function>
  static void for_each(const float* gate, const float* up, std::size_t count, float* out, Function f) {
    std::size_t i = 0;
    for (; i + Lanes <= count; i += Lanes) store(out + i, f(load(gate + i), load(up + i)));
    if (i == count) return;
    float rest[2][Lanes] = {};
    std::memcpy(rest[0], gate + i, (count - i) * sizeof(float));
    std::memcpy(rest[1], up + i, (count - i) * sizeof(float));
    store(rest[0], f(load(rest[0]), load(rest[1])));
    std::memcpy(out + i, rest[0], (count - i) * sizeof(float));
  }

  static void silu_multiply(const float* gate, const float* up, std::size_t count, float* out) {
    for_each(gate, up, count, out, [](Floats g, Floats u) { return times_sigmoid(g, g) * u; });
  }

  /// (1 + tanh(z))/2 is σ(2z).
  static void gelu_multiply(const float* gate, const float* up, std::size_t count, float* out) {
    constexpr float kTwiceRootOfTwoOverPi = 1.5957691216F;
    for_each(gate, up, count, out, [](Floats g, Floats u) {
      return times_sigmoid(g, kTwiceRootOfTwoOverPi * (g + 0.044715F * g * g * g)) * u;
    });
  }

  static void clamped_swiglu(const float* gate, const float* up, std::size_t count, float limit, float* out) {
    const Floats most = Floats{} + limit;
    for_each(gate, up, count, out, [most](Floats gates, Floats ups) {
      const Floats g = gates < most ? gates : most;
      const Floats below = ups < most ? ups : most;
      const Floats u = below > -most ? below : -most;
      return times_sigmoid(g, kClampedSwigluAlpha * g) * (u + 1.0F);
    });
  }

  static void widen_packed(const Bf16* from, std::size_t count, float* to) {
    for (std::size_t i = 0; i < count; i += kBlock) {
      const Words pairs = load_pairs(from + i);
      store(to + i, even(pairs));
      store(to + i + Lanes, odd(pairs));
    }
  }

  static float dot(const float* a, const float* b, std::size_t width) {
    Floats first = {}, second = {};
    for (std::size_t i = 0; i < width; i += kBlock) {
      first += load(a + i) * load(b + i);
      second += load(a + i + Lanes) * load(b + i + Lanes);
    }
    return sum(first + second);
  }

  static void attend(const AttentionBlock& block) {
    constexpr std::size_t kTokens = MathOps::kMostTokens;
    const std::size_t tokens = static_cast<std::size_t>(block.tokens), width = block.width;
    float* const keys = block.scratch;
    float* const values = block.scratch + kTokens * width;
    widen_packed(block.keys, tokens * width, keys);
    widen_packed(block.values, tokens * width, values);
    constexpr float kHidden = -std::numeric_limits<float>::infinity();
    for (std::size_t row = 0; row < block.rows; ++row) {
      float scores[kTokens];
      float highest = block.maximum[row];
      for (std::size_t t = 0; t < kTokens; ++t) {
        const std::int64_t position = block.first_position + static_cast<std::int64_t>(t);
        const bool visible =
            t < tokens && position >= block.first_visible[row] && position <= block.last_visible[row];
        scores[t] = visible ? dot(block.queries + row * width, keys + t * width, width) : kHidden;
        highest = std::max(highest, scores[t]);
      }
      if (highest == kHidden) continue;  // this row sees nothing yet
      float weights[kTokens];
      for (std::size_t t = 0; t < kTokens; t += Lanes)
        store(weights + t, exponential(load(scores + t) - highest));
      float total = 0;
      for (std::size_t t = 0; t < kTokens; ++t) {
        if (scores[t] == kHidden) weights[t] = 0;
        total += weights[t];
      }
      const float correction = std::exp(block.maximum[row] - highest);
      block.maximum[row] = highest;
      block.total[row] = block.total[row] * correction + total;
      float* const sums = block.sums + row * width;
      for (std::size_t i = 0; i < width; i += Lanes) {
        Floats weighted = load(sums + i) * correction;
        for (std::size_t t = 0; t < tokens; ++t) weighted += load(values + t * width + i) * weights[t];
        store(sums + i, weighted);
      }
    }
  }

  static MathOps ops(host::Simd simd) {
    return {simd,   pack,   pack,          unpack,        matvec,        nullptr,
            expand, attend, silu_multiply, gelu_multiply, clamped_swiglu};
  }
};

}  // namespace sparkmpi::kernels::inference
