#pragma once
// Elements of the KV cache in registers: loads of eight (or four) neighbours, pairs for the tensor cores,
// products.

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>

#include <cstdint>

namespace sparkmpi::kernels::inference::gpu {

__device__ inline std::uint32_t low_halves(std::uint32_t a, std::uint32_t b) {
  return __byte_perm(a, b, 0x5410);
}
__device__ inline std::uint32_t high_halves(std::uint32_t a, std::uint32_t b) {
  return __byte_perm(a, b, 0x7632);
}

/// BF16 in the cache: the products take its bits as they are.
struct Bf16Element {
  using Stored = std::uint16_t;
  using Eight = uint4;
  using Four = uint2;
  using Two = std::uint32_t;

  static __device__ void expand(const Eight& raw, std::uint32_t pairs[4]) {
    pairs[0] = raw.x, pairs[1] = raw.y, pairs[2] = raw.z, pairs[3] = raw.w;
  }
  static __device__ void expand(const Four& raw, std::uint32_t pairs[2]) {
    pairs[0] = raw.x, pairs[1] = raw.y;
  }
  static __device__ Stored store(float value) { return __bfloat16_as_ushort(__float2bfloat16_rn(value)); }
  static __device__ Two store(float first, float second) { return pair(first, second); }
  /// What queries and probabilities are rounded to.
  static __device__ std::uint32_t pair(float first, float second) {
    const __nv_bfloat162 both = __floats2bfloat162_rn(first, second);
    return reinterpret_cast<const std::uint32_t&>(both);
  }

  /// sums [16 × 8] += a [16 × 16] · b [16 × 8]; fragments as PTX's mma.m16n8k16 defines them.
  static __device__ void multiply(float sums[4], std::uint32_t a0, std::uint32_t a1, std::uint32_t a2,
                                  std::uint32_t a3, std::uint32_t b0, std::uint32_t b1) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
        "{%0,%1,%2,%3};"
        : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
  }
};

/// FP8 E4M3 in the cache: widened to half precision, which holds every E4M3 number exactly.
struct Fp8Element {
  using Stored = std::uint8_t;
  using Eight = uint2;
  using Four = std::uint32_t;
  using Two = std::uint16_t;

  static __device__ std::uint32_t widen(std::uint32_t two) {
    const __half2_raw half = __nv_cvt_fp8x2_to_halfraw2(static_cast<__nv_fp8x2_storage_t>(two), __NV_E4M3);
    return static_cast<std::uint32_t>(half.x) | (static_cast<std::uint32_t>(half.y) << 16);
  }
  static __device__ void expand(const Four& raw, std::uint32_t pairs[2]) {
    pairs[0] = widen(raw & 0xffffU);
    pairs[1] = widen(raw >> 16);
  }
  static __device__ void expand(const Eight& raw, std::uint32_t pairs[4]) {
    expand(raw.x, pairs);
    expand(raw.y, pairs + 2);
  }
  static __device__ Stored store(float value) {
    return __nv_cvt_float_to_fp8(value, __NV_SATFINITE, __NV_E4M3);
  }
  static __device__ Two store(float first, float second) {
    return __nv_cvt_float2_to_fp8x2(make_float2(first, second), __NV_SATFINITE, __NV_E4M3);
  }
  static __device__ std::uint32_t pair(float first, float second) {
    const __half2 both = __floats2half2_rn(first, second);
    return reinterpret_cast<const std::uint32_t&>(both);
  }

  static __device__ void multiply(float sums[4], std::uint32_t a0, std::uint32_t a1, std::uint32_t a2,
                                  std::uint32_t a3, std::uint32_t b0, std::uint32_t b1) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
        "{%0,%1,%2,%3};"
        : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
  }
};

/// Where a token's head lies in a layer of the pool. @param part 0 keys, 1 values.
template <class Element>
__device__ inline typename Element::Stored* kv_at(std::byte* data, std::int64_t block, int kv_heads, int head,
                                                  int part, int block_tokens, int token, int width) {
  return reinterpret_cast<typename Element::Stored*>(data) +
         (((block * kv_heads + head) * 2 + part) * block_tokens + token) * static_cast<std::int64_t>(width);
}

}  // namespace sparkmpi::kernels::inference::gpu
