#pragma once
// One point of `stream` on a GPU.

#include "kernels/kernel.hpp"

namespace sparkmpi::kernels::stream {

/// Measures and verifies the operations asked for. Throws Error when one computes something wrong, or when
/// the memory is gone.
void run_on_gpu(Context& context);

}  // namespace sparkmpi::kernels::stream
