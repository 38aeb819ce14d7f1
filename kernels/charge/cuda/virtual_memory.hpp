#pragma once
// Memory by CUDA's virtual memory management: cuMemCreate, mapped and made accessible by hand.

#include <memory>

#include "kernels/charge/allocator.hpp"

namespace sparkmpi::kernels::charge {

/// On the device that this process has prepared.
std::unique_ptr<Allocator> make_device_memory(const Scratch& scratch);
/// On the host's NUMA node that is nearest to it, with access for the CPU and the GPU.
std::unique_ptr<Allocator> make_host_numa_memory(const Scratch& scratch);

}  // namespace sparkmpi::kernels::charge
