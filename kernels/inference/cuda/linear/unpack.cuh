#pragma once
// Codes of a tile to the BF16 pairs that mma.sync takes. All values of the formats are exact in BF16.

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>

namespace sparkmpi::kernels::inference::gpu {

/// Four pairs of neighbouring columns: columns 8t … 8t + 7 of one row.
struct Pairs {
  std::uint32_t pair[4];
};

__device__ inline std::uint32_t multiply_pair(std::uint32_t a, std::uint32_t b) {
  const __nv_bfloat162 product =
      __hmul2(*reinterpret_cast<const __nv_bfloat162*>(&a), *reinterpret_cast<const __nv_bfloat162*>(&b));
  return *reinterpret_cast<const std::uint32_t*>(&product);
}

__device__ inline std::uint32_t subtract_pair(std::uint32_t a, std::uint32_t b) {
  const __nv_bfloat162 difference =
      __hsub2(*reinterpret_cast<const __nv_bfloat162*>(&a), *reinterpret_cast<const __nv_bfloat162*>(&b));
  return *reinterpret_cast<const std::uint32_t*>(&difference);
}

/// E4M3 in the upper byte of a half word: its exponent and mantissa four bits lower are those of a BF16
/// number that is 2^-120 of the value, subnormal ones included.
/// @tparam kRaised leave it so; else one exact product makes it right.
template <bool kRaised>
__device__ inline std::uint32_t e4m3_pair(std::uint32_t upper_bytes) {
  constexpr std::uint32_t kScale = 0x7b807b80U;  // 2^120
  const std::uint32_t pair = (upper_bytes & 0x80008000U) | ((upper_bytes >> 4) & 0x07f007f0U);
  return kRaised ? pair : multiply_pair(pair, kScale);
}

template <bool kRaised>
__device__ inline Pairs unpack_e4m3(std::uint32_t low, std::uint32_t high) {
  return {{e4m3_pair<kRaised>(low), e4m3_pair<kRaised>(low << 8), e4m3_pair<kRaised>(high),
           e4m3_pair<kRaised>(high << 8)}};
}

/// q - z: 0x4300 | q is the BF16 number 128 + q, so the difference of two such is exact.
__device__ inline Pairs unpack_int4(std::uint32_t word, std::uint32_t z) {
  const std::uint32_t zero = z * 0x10001U + 0x43004300U;
  Pairs pairs;
#pragma unroll
  for (int p = 0; p < 4; ++p)
    pairs.pair[p] = subtract_pair(((word >> (4 * p)) & 0x000f000fU) | 0x43004300U, zero);
  return pairs;
}

/// q as four bits of a BF16 number's lowest eight, which with nothing above them is a fixed-point number:
/// 2^-133·q of pairs 0 and 2, 2^-129·q of pairs 1 and 3.
__device__ inline Pairs unpack_int4_codes(std::uint32_t word) {
  constexpr std::uint32_t kLow = 0x000f000fU, kHigh = 0x00f000f0U;
  return {{word & kLow, word & kHigh, (word >> 8) & kLow, (word >> 8) & kHigh}};
}

/// E2M1 with its exponent and mantissa on a BF16's is 2^-126 of the value, as for E4M3. A half of the word
/// holds a column of each pair, so that one shift brings signs to bit 15 and magnitudes to bits 8 to 6: pair
/// 0 lies there, pair 1 three bits lower, pair 2 six; the last one has what is left, its magnitude in bits
/// 13, 11 and 10, its sign in 14.
template <bool kRaised>
__device__ inline Pairs unpack_e2m1(std::uint32_t word) {
  constexpr std::uint32_t kScale = 0x7e807e80U;  // 2^126
  constexpr std::uint32_t kPlace = 0x81c081c0U;
  Pairs pairs{{word & kPlace, (word << 3) & kPlace, (word << 6) & kPlace,
               ((word >> 4) & 0x00c000c0U) | ((word >> 5) & 0x01000100U) | ((word << 1) & 0x80008000U)}};
  if constexpr (!kRaised) {
#pragma unroll
    for (std::uint32_t& pair : pairs.pair) pair = multiply_pair(pair, kScale);
  }
  return pairs;
}

/// 2^(code - 127) of byte `index` of a word.
/// @tparam kRaised times 2^26: unpack_e2m1's 2^126 over the vectors' 2^100. Codes above 228, scales of 2^102
/// and more, are beyond it.
template <bool kRaised>
__device__ inline float e8m0(std::uint32_t word, int index) {
  const std::uint32_t code = (word >> (8 * index)) & 0xffU;
  if (kRaised) return __uint_as_float((code << 23) + (26U << 23));
  return __uint_as_float(code == 0 ? 0x00400000U : code << 23);
}

/// c + d += A·B for a tile of 16 rows, 32 columns and 8 vectors: `lower` and `upper` are rows g and g + 8,
/// `x` the vector g's, all for columns 8t … 8t + 7. The order of columns within the product is ours to
/// choose. c and d may be the same.
__device__ inline void multiply_tile(float (&c)[4], float (&d)[4], const Pairs& lower, const Pairs& upper,
                                     const uint4& x) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(lower.pair[0]), "r"(upper.pair[0]), "r"(lower.pair[1]), "r"(upper.pair[1]), "r"(x.x), "r"(x.y));
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(lower.pair[2]), "r"(upper.pair[2]), "r"(lower.pair[3]), "r"(upper.pair[3]), "r"(x.z), "r"(x.w));
}

}  // namespace sparkmpi::kernels::inference::gpu
