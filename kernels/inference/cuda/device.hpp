#pragma once
// The device's memory, streams and return codes, as the engine names them.

#include "kernels/device/cuda/check.hpp"
#include "kernels/device/cuda/memory.hpp"

namespace sparkmpi::kernels::inference::gpu {

using cuda::check;
using cuda::DeviceMemory;
using cuda::Event;
using cuda::PinnedMemory;
using cuda::Stream;

}  // namespace sparkmpi::kernels::inference::gpu
