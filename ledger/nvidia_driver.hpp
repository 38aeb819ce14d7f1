#pragma once
// How NVIDIA's kernel modules are set up, as far as it decides where memory goes.

#include "base/attributes.hpp"
#include "ledger/ledger.hpp"

namespace sparkmpi::ledger {

/// Facts, as text; those that this driver or a container does not show are left out: nvidia_driver (the
/// driver's own line), nvidia_kernel_module (open or proprietary), nvidia_NAME from
/// /proc/driver/nvidia/params (CoherentGPUMemoryMode, EnableUserNUMAManagement, …) and nvidia_uvm_NAME from
/// /sys/module/nvidia_uvm/parameters (disable_hmm, ats_mode, …).
Attributes nvidia_driver_facts(const FileRoot& root = {});

/// Whether the memory of a coherent GPU (GH200, GB200) is a NUMA node of the system ("numa") or hidden from
/// it ("cdmm", coherent driver-based memory management): there is a node without cores, or none.
std::string coherent_memory_mode(const FileRoot& root = {});

}  // namespace sparkmpi::ledger
