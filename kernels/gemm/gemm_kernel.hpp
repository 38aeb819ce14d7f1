#pragma once
// `gemm`: the rate of matrix products, the ceiling of prefill.

#include "kernels/kernel.hpp"

namespace sparkmpi::kernels::gemm {

const KernelInfo& info();

}  // namespace sparkmpi::kernels::gemm
