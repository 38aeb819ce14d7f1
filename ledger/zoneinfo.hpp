#pragma once
// /proc/zoneinfo: free pages that MemFree does not count, because CPUs keep them on lists of their own.

#include "ledger/field_file.hpp"
#include "ledger/ledger.hpp"

namespace sparkmpi::ledger {

/// "zoneinfo.pcp_free": bytes of free pages on the per-CPU lists of all zones. They are free and not in
/// MemFree; the lists grow to hundreds of MiB where much is allocated and freed (mm/page_alloc.c,
/// nr_pcp_high()). Costly: one paragraph for each zone and CPU.
class Zoneinfo final : public Ledger {
 public:
  explicit Zoneinfo(const FileRoot& root);
  std::string_view name() const override { return "zoneinfo"; }
  Cost cost() const override { return Cost::costly; }
  void read(std::vector<Reading>& out) override;

 private:
  KernelFile file_;
};

}  // namespace sparkmpi::ledger
