#include "ledger/ledger.hpp"

#include "ledger/cgroup.hpp"
#include "ledger/meminfo.hpp"
#include "ledger/pressure.hpp"
#include "ledger/process_memory.hpp"
#include "ledger/vmstat.hpp"
#include "ledger/zoneinfo.hpp"

namespace sparkmpi::ledger {

std::string_view to_string(Answer answer) {
  switch (answer) {
    case Answer::value:
      return "value";
    case Answer::not_supported:
      return "not supported";
    case Answer::not_permitted:
      return "not permitted";
    case Answer::absent:
      return "absent";
  }
  return "unknown";
}

void LedgerSet::add(std::unique_ptr<Ledger> ledger) {
  ledgers_.push_back(std::move(ledger));
}

std::vector<Reading> LedgerSet::read(bool cheap_only) {
  std::vector<Reading> readings;
  for (const auto& ledger : ledgers_) {
    if (!cheap_only || ledger->cost() == Cost::cheap) ledger->read(readings);
  }
  return readings;
}

LedgerSet standard_ledgers(const FileRoot& root) {
  LedgerSet set;
  set.add(std::make_unique<Meminfo>(root));
  for (const int node : numa_nodes(root)) set.add(std::make_unique<NumaMeminfo>(root, node));
  set.add(std::make_unique<Vmstat>(root));
  set.add(std::make_unique<Zoneinfo>(root));
  set.add(std::make_unique<Pressure>(root));
  set.add(std::make_unique<ProcessStatus>(root));
  set.add(std::make_unique<SmapsRollup>(root));
  const CgroupLocation location = locate_memory_cgroup(root);
  for (std::size_t level = 0; level < location.levels.size(); ++level) {
    set.add(std::make_unique<Cgroup>(location.levels[level], location.version, static_cast<int>(level)));
  }
  return set;
}

}  // namespace sparkmpi::ledger
