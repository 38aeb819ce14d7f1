#pragma once
// What the options of `stream` mean on a rank's device.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernels/kernel.hpp"
#include "kernels/stream/device_arrays.hpp"
#include "kernels/stream/operations.hpp"
#include "kernels/timing/stopping_rule.hpp"

namespace sparkmpi::kernels::stream {

/// Each throws UsageError for a value that makes no sense.
std::vector<const OperationInfo*> chosen_operations(const std::string& text);
/// Whether stores go past the caches, for `--stores`.
bool bypass_caches(const std::string& stores, std::size_t footprint);
std::unique_ptr<timing::StoppingRule> stopping_rule(const Parameters& parameters);

/// What is free where a footprint would go, in bytes.
struct Room {
  MemoryModel model;
  std::uint64_t device_free;     ///< cudaMemGetInfo
  std::uint64_t host_available;  ///< MemAvailable, this rank's share
};
/// Refuses a footprint that does not fit: memory on the GPU within what CUDA calls free (on an integrated
/// device, where that leaves out the page cache, within MemAvailable), managed memory 512 MiB below it, since
/// a GPU that has to page can hang; the host's memory within MemAvailable. Refuses `system` where the model
/// says that the GPU does not reach it. Throws UsageError with the numbers.
void require_room(MemoryKind kind, std::size_t footprint, const Room& room);
Room room_at(const Site& site);

/// `--memory` for a rank that drives a GPU; "auto" is device memory.
MemoryKind chosen_memory(const Parameters& parameters);

void check_on_host(const Parameters& parameters, const Site& site);
/// `--threads` and `--stores` other than their defaults are refused: they are the host's.
void check_on_gpu(const Parameters& parameters, const Site& site);

}  // namespace sparkmpi::kernels::stream
