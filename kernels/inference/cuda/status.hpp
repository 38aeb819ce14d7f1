#pragma once
// CUDA's return codes as exceptions.

#include <cuda_runtime_api.h>

#include <string_view>

namespace sparkmpi::kernels::inference::gpu {

/// Throws Error "WHAT: CUDA's words" unless the call went well. The error is taken off the runtime, so that
/// later calls don't report it again.
void check(cudaError_t status, std::string_view what);

}  // namespace sparkmpi::kernels::inference::gpu
