#pragma once
// The memory cgroup of the calling process and its parents: usage, peak, limits, events and the kinds of
// memory charged.

#include <memory>
#include <string>
#include <vector>

#include "ledger/cgroup_location.hpp"
#include "ledger/field_file.hpp"
#include "ledger/field_ledger.hpp"
#include "ledger/ledger.hpp"

namespace sparkmpi::ledger {

/// One level. Readings have the same names for version 1 and 2 where they mean the same ("cgroup.current",
/// "cgroup.peak", "cgroup.max", "cgroup.stat.anon", "cgroup.events.oom_kill"); docs/ledgers.md has the table.
/// A parent n levels up is "cgroup^n". No limit is +infinity.
class Cgroup final : public Ledger {
 public:
  /// @param directory of the group. @param level 0: the process's own.
  Cgroup(const std::filesystem::path& directory, CgroupVersion version, int level);
  std::string_view name() const override { return name_; }
  Cost cost() const override { return Cost::cheap; }
  void read(std::vector<Reading>& out) override;

 private:
  struct Scalar {
    std::string name;
    KernelFile file;
  };
  struct Table {
    std::string prefix;
    std::span<const Field> fields;
    KernelFile file;
  };
  std::string name_;
  std::vector<Scalar> scalars_;
  std::vector<Table> tables_;
};

/// The effective limit: the smallest of all levels; +infinity when none of them has one.
double smallest_cgroup_limit(const CgroupLocation& location);

}  // namespace sparkmpi::ledger
