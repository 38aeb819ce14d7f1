#include "ledger/vmstat.hpp"

#include <array>

#include "ledger/field_ledger.hpp"

namespace sparkmpi::ledger {
namespace {

constexpr std::array<Field, 17> kVmstat = {{
    {"pgfault", "pgfault", "1", 1},
    {"pgmajfault", "pgmajfault", "1", 1},
    {"pgpgin", "pgpgin", "B", 1024},  // block layer, counted in KiB
    {"pgpgout", "pgpgout", "B", 1024},
    {"pswpin", "pswpin", "1", 1},
    {"pswpout", "pswpout", "1", 1},
    {"pgscan_kswapd", "pgscan_kswapd", "1", 1},
    {"pgscan_direct", "pgscan_direct", "1", 1},
    {"pgsteal_kswapd", "pgsteal_kswapd", "1", 1},
    {"pgsteal_direct", "pgsteal_direct", "1", 1},
    {"allocstall_normal", "allocstall_normal", "1", 1},
    {"compact_stall", "compact_stall", "1", 1},
    {"thp_fault_alloc", "thp_fault_alloc", "1", 1},
    {"thp_fault_fallback", "thp_fault_fallback", "1", 1},
    {"numa_pages_migrated", "numa_pages_migrated", "1", 1},
    {"drop_pagecache", "drop_pagecache", "1", 1},
    {"oom_kill", "oom_kill", "1", 1},
}};

}  // namespace

Vmstat::Vmstat(const FileRoot& root) : file_(root / "proc/vmstat") {}

void Vmstat::read(std::vector<Reading>& out) {
  read_fields(file_, kVmstat, "vmstat", 0, out);
}

}  // namespace sparkmpi::ledger
