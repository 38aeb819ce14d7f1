#pragma once
// For kernels/suite/cuda_interfaces.cpp.

#include "kernels/charge/cuda_allocators.hpp"

namespace sparkmpi::kernels::charge {

const CudaAllocators& cuda_side();

}  // namespace sparkmpi::kernels::charge
