#pragma once
// What the kernel says of the calling process: /proc/self/status and /proc/self/smaps_rollup.

#include "ledger/field_file.hpp"
#include "ledger/ledger.hpp"

namespace sparkmpi::ledger {

/// "status.VmRSS", "status.RssAnon", … in bytes.
class ProcessStatus final : public Ledger {
 public:
  explicit ProcessStatus(const FileRoot& root);
  std::string_view name() const override { return "status"; }
  Cost cost() const override { return Cost::cheap; }
  void read(std::vector<Reading>& out) override;

 private:
  KernelFile file_;
};

/// "smaps_rollup.Pss", … in bytes: the process's mappings added up, each page shared with others counted in
/// part (Pss).
class SmapsRollup final : public Ledger {
 public:
  explicit SmapsRollup(const FileRoot& root);
  std::string_view name() const override { return "smaps_rollup"; }
  Cost cost() const override { return Cost::costly; }
  void read(std::vector<Reading>& out) override;

 private:
  KernelFile file_;
};

}  // namespace sparkmpi::ledger
