#pragma once
// CUDA's return codes as errors.

#include <cuda_runtime_api.h>

#include <string>
#include <string_view>

#include "base/error.hpp"

namespace sparkmpi::kernels::cuda {

/// Throws Error with the call and CUDA's words. A refused allocation names what was asked and what was free
/// in the caller's own message.
inline void check(cudaError_t status, std::string_view call) {
  if (status == cudaSuccess) return;
  throw Error(std::string(call) + ": " + cudaGetErrorString(status));
}

/// After a launch: a kernel that could not be started.
inline void check_launch(std::string_view kernel) {
  check(cudaGetLastError(), kernel);
}

}  // namespace sparkmpi::kernels::cuda
