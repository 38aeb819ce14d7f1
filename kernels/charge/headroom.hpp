#pragma once
// How much may be asked for.

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "kernels/charge/allocator.hpp"
#include "ledger/reading.hpp"

namespace sparkmpi::kernels::charge {

/// Bytes that can be had of each kind of memory; infinite where nothing limits it.
struct Headroom {
  double host;  ///< MemAvailable, or what the limits of the memory cgroups leave, page cache not counted
  double shared_memory;  ///< what /dev/shm has left
  double device;         ///< cudaMemGetInfo's free
};

/// @param readings of the host's ledgers, and a GPU's where there is one.
Headroom headroom(std::span<const ledger::Reading> readings, double shared_memory);
/// Free bytes of the file system on /dev/shm; 0 when there is none.
double free_shared_memory();

/// A quarter, a half and all of the largest power of two that is at most a quarter of what can be had and
/// 256 MiB, or 512 MiB on hosts with 32 GiB and more, whose many cores keep more free pages to themselves.
/// Throws Error when that is less than 8 MiB.
std::vector<std::size_t> default_sizes(const Headroom& available);

/// The sizes, halved together until the largest takes at most nine tenths of /dev/shm, for an allocator that
/// needs it (containers often have 64 MiB of it). As they are for all others.
std::vector<std::size_t> sizes_for(const AllocatorInfo& allocator, std::span<const std::size_t> sizes,
                                   const Headroom& available);

/// Empty when so much can be had; otherwise one line for the cell that is not tried.
std::string objection(const AllocatorInfo& allocator, std::size_t bytes, const Headroom& available);

}  // namespace sparkmpi::kernels::charge
