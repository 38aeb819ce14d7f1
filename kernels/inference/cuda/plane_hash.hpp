#pragma once
// The device's half of weight_hash.hpp.

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

namespace sparkmpi::kernels::inference::gpu {

/// *sum += the row_hash of rows [first_row, first_row + rows) of `bytes` bytes each, without padding.
/// Asynchronous.
void add_plane_hash(const void* data, std::size_t bytes, std::uint64_t plane, std::size_t first_row,
                    std::size_t rows, unsigned long long* sum, cudaStream_t stream);

}  // namespace sparkmpi::kernels::inference::gpu
