#pragma once
// The GPU side of `stream` within the CUDA module.

#include "kernels/stream/device_arrays.hpp"

namespace sparkmpi::kernels::stream {

const CudaStream& cuda_stream();

}  // namespace sparkmpi::kernels::stream
