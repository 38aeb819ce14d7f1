#pragma once
// CUDA's return codes as exceptions.

#include <cuda_runtime_api.h>

#include <string_view>

namespace sparkmpi::kernels::cuda {

/// Throws Error "WHAT: CUDA's words" unless the call went well. The error is taken off the runtime, so that
/// later calls don't report it again.
void check(cudaError_t status, std::string_view what);

/// After a launch: a kernel that could not be started.
inline void check_launch(std::string_view kernel) {
  check(cudaGetLastError(), kernel);
}

}  // namespace sparkmpi::kernels::cuda
