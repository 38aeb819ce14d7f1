#pragma once
// The workloads' GPU sides that the CUDA module carries.

#include <string_view>

namespace sparkmpi::kernels {

/// The table of functions called `name`, of the type that has this name as its kInterface; null when there is
/// none.
const void* cuda_interface(std::string_view name);

}  // namespace sparkmpi::kernels
