#pragma once
// /proc/vmstat: events of the memory manager since boot, and page counts that /proc/meminfo lacks.

#include "ledger/field_file.hpp"
#include "ledger/ledger.hpp"

namespace sparkmpi::ledger {

/// "vmstat.pgfault", "vmstat.oom_kill", … as counts since boot.
class Vmstat final : public Ledger {
 public:
  explicit Vmstat(const FileRoot& root);
  std::string_view name() const override { return "vmstat"; }
  Cost cost() const override { return Cost::cheap; }
  void read(std::vector<Reading>& out) override;

 private:
  KernelFile file_;
};

}  // namespace sparkmpi::ledger
