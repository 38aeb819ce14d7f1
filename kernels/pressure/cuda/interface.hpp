#pragma once
// The ladder's table of functions in the CUDA module.

#include "kernels/pressure/cuda_pressure.hpp"

namespace sparkmpi::kernels::pressure {

const CudaPressure& cuda_pressure();

void prepare_cuda(int ordinal);
std::span<const AllocatorInfo> cuda_allocators();
std::unique_ptr<ReadProbe> make_cuda_read_probe(int ordinal, std::size_t bytes);

}  // namespace sparkmpi::kernels::pressure
