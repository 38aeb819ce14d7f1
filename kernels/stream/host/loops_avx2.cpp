// Compiled with -mavx2 -mfma and called only where the processor has them.
#include <immintrin.h>

#include "kernels/stream/host/loops_generic.hpp"

namespace sparkmpi::kernels::stream {
namespace {

struct StreamingStore {
  typedef double Vector __attribute__((vector_size(32)));
  static constexpr bool kNonTemporal = true;
  static void put(double* to, Vector value) { _mm256_stream_pd(to, value); }
  static void finish() { _mm_sfence(); }
};

}  // namespace

Loops avx2_loops(bool bypass_caches) {
  return bypass_caches ? VectorLoops<4, StreamingStore>::loops() : VectorLoops<4, CachedStore<4>>::loops();
}

}  // namespace sparkmpi::kernels::stream
