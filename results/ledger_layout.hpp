#pragma once
// Ledger snapshots and time lines of all ranks as two groups of the file.

#include <span>
#include <vector>

#include "results/hdf5_data.hpp"
#include "results/record.hpp"

namespace sparkmpi::results {

/// Group `ledgers`: reading and answer (rank, moment, ledger), time (rank, moment), unit (ledger).
void write_snapshots(hid_t kernel, std::span<const KernelRecord> records);
/// Group `timeline`: reading (rank, tick, ledger), time (rank, tick), unit (ledger). Not written when no rank
/// has ticks.
void write_timelines(hid_t kernel, std::span<const KernelRecord> records);

/// Fill in snapshots and time lines of `records`, one for each rank.
void read_snapshots(hid_t kernel, std::vector<KernelRecord>& records);
void read_timelines(hid_t kernel, std::vector<KernelRecord>& records);

}  // namespace sparkmpi::results
