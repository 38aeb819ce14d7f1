// Compiled with -mavx512f, -bw, -vl, -dq and called only where the processor has them.
#include "kernels/inference/host/math_quantized.hpp"

namespace sparkmpi::kernels::inference {

MathOps math_ops_avx512() {
  return math_ops_of<16>(host::Simd::avx512);
}

}  // namespace sparkmpi::kernels::inference
