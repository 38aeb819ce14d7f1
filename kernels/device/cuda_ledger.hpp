#pragma once
// cudaMemGetInfo as a ledger.

#include "kernels/device/cuda_module.hpp"
#include "ledger/ledger.hpp"

namespace sparkmpi::kernels {

/// "cuda.free", "cuda.total" and "cuda.used" (their difference) of one device, in bytes. On GB10 free is the
/// kernel's MemFree: page cache counts as used. The first reading makes a CUDA context, which costs device
/// memory itself. Sampled: a call takes microseconds.
class CudaLedger final : public ledger::Ledger {
 public:
  /// @param module outlives the ledger.
  CudaLedger(const CudaModule& module, int ordinal) : module_(module), ordinal_(ordinal) {}
  std::string_view name() const override { return "cuda"; }
  ledger::Cost cost() const override { return ledger::Cost::cheap; }
  void read(std::vector<ledger::Reading>& out) override;

 private:
  const CudaModule& module_;
  int ordinal_;
};

}  // namespace sparkmpi::kernels
