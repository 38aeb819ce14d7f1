#include "kernels/device/device_ledgers.hpp"

#include <unistd.h>

#include <memory>

#include "base/error.hpp"
#include "kernels/device/cuda_ledger.hpp"
#include "ledger/nvml.hpp"

namespace sparkmpi::kernels {

ledger::LedgerSet device_ledgers(const Device& device, const CudaModule& module) {
  ledger::LedgerSet set = ledger::standard_ledgers();
  if (device.kind != DeviceKind::cuda) return set;
  set.add(std::make_unique<CudaLedger>(module, device.ordinal));
  const auto nvml = std::make_shared<ledger::Nvml>();
  if (!nvml->available()) return set;
  try {
    set.add(std::make_unique<ledger::NvmlLedger>(nvml, device.uuid, static_cast<std::uint32_t>(getpid())));
  } catch (const Error&) {
    // A GPU that NVML does not know (an instance of MIG, a vGPU): its other ledgers go on.
  }
  return set;
}

}  // namespace sparkmpi::kernels
