#pragma once
// The read bandwidth that rooflines of other kernels divide by, measured in the same run on the same threads.

#include <cstddef>

#include "kernels/device/cuda_module.hpp"
#include "kernels/host/thread_team.hpp"

namespace sparkmpi::kernels::stream {

/// Best of repeated verified reads of `bytes` by all workers, in bytes a second, taken over at least
/// `seconds`. For the memory's own bandwidth `bytes` has to be several times the last-level cache.
double measure_read_bandwidth(host::ThreadTeam& team, std::size_t bytes, double seconds);

/// The same on a GPU of `cuda`, by the device's clock and in device memory of its own, which is freed again.
/// For the memory's own bandwidth `bytes` has to be several times the L2 cache: 1 GiB is enough on any GPU of
/// today. Throws Error when the memory is not free.
double measure_read_bandwidth(const CudaModule& cuda, const Device& gpu, std::size_t bytes, double seconds);

/// Size of the last-level cache as the C library knows it, 32 MiB where it does not.
std::size_t last_level_cache_bytes();

}  // namespace sparkmpi::kernels::stream
