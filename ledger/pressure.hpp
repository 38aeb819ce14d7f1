#pragma once
// Pressure stall information: how long tasks have waited for memory, I/O and cores
// (Documentation/accounting/psi.rst).

#include <array>

#include "ledger/field_file.hpp"
#include "ledger/ledger.hpp"

namespace sparkmpi::ledger {

/// "psi.memory.some.total", "psi.memory.full.total", … in seconds since boot.
class Pressure final : public Ledger {
 public:
  explicit Pressure(const FileRoot& root);
  std::string_view name() const override { return "psi"; }
  Cost cost() const override { return Cost::cheap; }
  void read(std::vector<Reading>& out) override;

 private:
  std::array<KernelFile, 3> files_;
};

}  // namespace sparkmpi::ledger
