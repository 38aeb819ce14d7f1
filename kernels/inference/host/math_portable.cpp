#include "kernels/inference/host/math_quantized.hpp"

namespace sparkmpi::kernels::inference {

// Four floats: SSE2 on x86-64, NEON on aarch64 (which is why Simd::neon needs no unit of its own).
MathOps math_ops_portable() {
#if defined(__aarch64__)
  return math_ops_of<4>(host::Simd::neon);
#else
  return math_ops_of<4>(host::Simd::portable);
#endif
}

MathOps math_ops_for(host::Simd simd) {
  switch (simd) {
#if defined(__x86_64__)
    case host::Simd::avx512_bf16:
      return math_ops_avx512_bf16();
    case host::Simd::avx512:
      return math_ops_avx512();
    case host::Simd::avx2:
      return math_ops_avx2();
#elif defined(__aarch64__)
    case host::Simd::sve:
      return math_ops_sve();
#endif
    default:
      return math_ops_portable();
  }
}

}  // namespace sparkmpi::kernels::inference
