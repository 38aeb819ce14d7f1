// Compiled with -mavx2 -mfma and called only where the processor has them.
#include "kernels/inference/host/math_generic.hpp"

namespace sparkmpi::kernels::inference {

MathOps math_ops_avx2() {
  return MathGeneric<8>::ops(host::Simd::avx2);
}

}  // namespace sparkmpi::kernels::inference
