#include "kernels/device/cuda_ledger.hpp"

#include "base/error.hpp"
#include "ledger/field_file.hpp"

namespace sparkmpi::kernels {

void CudaLedger::read(std::vector<ledger::Reading>& out) {
  auto answer = ledger::Answer::value;
  CudaModule::Memory memory{};
  try {
    memory = module_.memory(ordinal_);
  } catch (const Error&) {
    answer = ledger::Answer::not_supported;  // the context is lost (an earlier error), or the device is
  }
  const auto free = static_cast<double>(memory.free), total = static_cast<double>(memory.total);
  out.push_back(ledger::make_reading("cuda.free", "B", answer, free));
  out.push_back(ledger::make_reading("cuda.total", "B", answer, total));
  out.push_back(ledger::make_reading("cuda.used", "B", answer, total - free));
}

}  // namespace sparkmpi::kernels
