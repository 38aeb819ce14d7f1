#pragma once
// The read bandwidth that rooflines of other kernels divide by, measured in the same run on the same threads.

#include <cstddef>

#include "kernels/host/thread_team.hpp"

namespace sparkmpi::kernels::stream {

/// Best of repeated verified reads of `bytes` by all workers, in bytes a second, taken over at least
/// `seconds`. For the memory's own bandwidth `bytes` has to be several times the last-level cache.
double measure_read_bandwidth(host::ThreadTeam& team, std::size_t bytes, double seconds);

/// Size of the last-level cache as the C library knows it, 32 MiB where it does not.
std::size_t last_level_cache_bytes();

}  // namespace sparkmpi::kernels::stream
