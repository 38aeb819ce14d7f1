#pragma once
// What the GPU's allocators share.

#include <cuda_runtime_api.h>

#include <cstddef>
#include <string_view>

namespace sparkmpi::kernels::charge {

/// Throws Error "cudaMalloc of 64 MiB: out of memory" unless the call succeeded.
/// @param bytes 0 leaves the size out of the message.
void require(cudaError_t status, std::string_view call, std::size_t bytes = 0);

/// An attribute of the device that this process has prepared.
int device_attribute(cudaDeviceAttr attribute);

/// Writes one byte of every page from the GPU and waits for it. @param memory as the GPU addresses it.
void write_every_page_from_gpu(void* memory, std::size_t bytes);

}  // namespace sparkmpi::kernels::charge
