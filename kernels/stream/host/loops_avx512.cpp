// Compiled with -mavx512f and called only where the processor has it.
#include <immintrin.h>

#include "kernels/stream/host/loops_generic.hpp"

namespace sparkmpi::kernels::stream {
namespace {

struct StreamingStore {
  typedef double Vector __attribute__((vector_size(64)));
  static constexpr bool kNonTemporal = true;
  static void put(double* to, Vector value) { _mm512_stream_pd(to, value); }
  static void finish() { _mm_sfence(); }
};

}  // namespace

Loops avx512_loops(bool bypass_caches) {
  return bypass_caches ? VectorLoops<8, StreamingStore>::loops() : VectorLoops<8, CachedStore<8>>::loops();
}

}  // namespace sparkmpi::kernels::stream
