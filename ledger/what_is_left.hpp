#pragma once
// Ledgers that count free memory, among all those that count memory in use.

#include <string_view>

namespace sparkmpi::ledger {

/// Whether the reading of that name ("meminfo.MemFree", "node1.MemFree", "nvml.device_free") says how much is
/// left: it falls where memory is taken, and its peak of use is its lowest value.
bool counts_what_is_left(std::string_view reading);

}  // namespace sparkmpi::ledger
