#include "kernels/device/cuda/check.hpp"

#include <fmt/format.h>

#include "base/error.hpp"

namespace sparkmpi::kernels::cuda {

void check(cudaError_t status, std::string_view what) {
  if (status == cudaSuccess) return;
  static_cast<void>(cudaGetLastError());
  throw Error(fmt::format("{}: {}", what, cudaGetErrorString(status)));
}

}  // namespace sparkmpi::kernels::cuda
