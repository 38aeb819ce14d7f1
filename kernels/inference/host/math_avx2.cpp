// Compiled with -mavx2 -mfma -mf16c and called only where the processor has them.
#include "kernels/inference/host/math_quantized.hpp"

namespace sparkmpi::kernels::inference {

MathOps math_ops_avx2() {
  return math_ops_of<8>(host::Simd::avx2);
}

}  // namespace sparkmpi::kernels::inference
