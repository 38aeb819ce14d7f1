// Compiled with -mavx512f, -bw, -vl, -dq and called only where the processor has them.
#include "kernels/inference/host/math_generic.hpp"

namespace sparkmpi::kernels::inference {

MathOps math_ops_avx512() {
  return MathGeneric<16>::ops(host::Simd::avx512);
}

}  // namespace sparkmpi::kernels::inference
