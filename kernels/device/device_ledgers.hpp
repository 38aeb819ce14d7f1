#pragma once
// Every ledger that has something to say about a device.

#include "kernels/device/cuda_module.hpp"
#include "kernels/device/device.hpp"
#include "ledger/ledger.hpp"

namespace sparkmpi::kernels {

/// The host's ledgers, and for a GPU cudaMemGetInfo and NVML as well. Without NVML its readings are missing
/// and the rest is there.
/// @param module outlives the set.
ledger::LedgerSet device_ledgers(const Device& device, const CudaModule& module);

}  // namespace sparkmpi::kernels
