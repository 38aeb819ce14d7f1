#include "kernels/stream/host/loops_generic.hpp"

namespace sparkmpi::kernels::stream {

// Two doubles: SSE2 on x86-64 and NEON on aarch64, which every such processor has.
Loops portable_loops() {
  return VectorLoops<2, CachedStore<2>>::loops();
}

Loops loops_for(host::Simd simd, bool bypass_caches) {
#if defined(__x86_64__)
  switch (simd) {
    case host::Simd::avx512:
    case host::Simd::avx512_bf16:
      return avx512_loops(bypass_caches);
    case host::Simd::avx2:
      return avx2_loops(bypass_caches);
    default:
      return portable_loops();
  }
#else
  // Cores with NEON or SVE stream at memory speed with two doubles at a time and 8 loads in flight; stores
  // that would allocate are turned into streaming writes by the core itself (write-streaming mode of Arm's
  // Neoverse cores).
  static_cast<void>(simd);
  static_cast<void>(bypass_caches);
  return portable_loops();
#endif
}

}  // namespace sparkmpi::kernels::stream
