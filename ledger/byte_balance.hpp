#pragma once
// Where the memory went between two readings of /proc/meminfo: the change of MemFree, field by field, with
// what no field explains.

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ledger/reading.hpp"

namespace sparkmpi::ledger {

/// One use of memory. `change` is what it did to MemFree: negative where it took memory.
struct BalanceTerm {
  std::string name;    ///< "anonymous", "page cache", "slab", …
  std::string fields;  ///< the readings behind it: "AnonPages", "Cached + Buffers - Shmem"
  double change = 0;   ///< bytes
};

/// free_change = Σ terms' change + residual, exactly.
struct ByteBalance {
  double free_change = 0;  ///< ΔMemFree, bytes
  std::vector<BalanceTerm> terms;
  double residual = 0;                  ///< bytes that no field explains
  std::vector<std::string> unanswered;  ///< terms whose readings are missing: they are part of the residual
};

/// Memory that a device took out of the same pool, in bytes, before and after. Only for a device that shares
/// the host's pool; a number that is missing there makes the term unanswered.
struct DeviceShare {
  std::optional<double> before, after;
};

/// The balance of two snapshots of one node. No page is counted twice:
///   anonymous      AnonPages (AnonHugePages, Mlocked are parts of it)
///   page cache     Cached + Buffers - Shmem (Mapped, Dirty, FileHugePages are parts of it)
///   shared memory  Shmem (tmpfs, shm, memfd, pinned by cudaMallocHost; a part of Cached)
///   slab           Slab (= SReclaimable + SUnreclaim)
///   kernel cache   KReclaimable - SReclaimable
///   page tables    PageTables + SecPageTables
///   kernel stacks  KernelStack
///   vmalloc        VmallocUsed - KernelStack, where the kernel takes stacks from vmalloc (VMAP_STACK, the
///                  default of x86-64 and arm64); VmallocUsed where it is smaller than the stacks
///   per-CPU        Percpu
///   CPU free lists zoneinfo.pcp_free: free pages that MemFree leaves out
///   huge pages     Hugetlb: the whole pool, used or not
///   zswap          Zswap: the compressed pool
///   memory size    MemTotal: a balloon or hot-plugged memory, which adds to MemFree
///   device         `device`
/// (fs/proc/meminfo.c, Documentation/filesystems/proc.rst.) SwapCached is left out: its pages are in
/// AnonPages as well while they are mapped.
/// @returns nothing when MemFree is missing in one of them.
std::optional<ByteBalance> byte_balance(std::span<const Reading> before, std::span<const Reading> after,
                                        const std::optional<DeviceShare>& device = std::nullopt);

}  // namespace sparkmpi::ledger
