#pragma once
// /proc/meminfo: the machine's memory as the kernel keeps account of it; and the same of each NUMA node.

#include <filesystem>
#include <memory>
#include <vector>

#include "ledger/field_file.hpp"
#include "ledger/ledger.hpp"

namespace sparkmpi::ledger {

/// "meminfo.MemFree", "meminfo.MemAvailable", … in bytes. Fields: docs/ledgers.md.
class Meminfo final : public Ledger {
 public:
  explicit Meminfo(const FileRoot& root);
  std::string_view name() const override { return "meminfo"; }
  Cost cost() const override { return Cost::cheap; }
  void read(std::vector<Reading>& out) override;

 private:
  KernelFile file_;
};

/// "node1.MemFree", … of one NUMA node, in bytes. A node without cores (the HBM of a GH200 in NUMA mode) is a
/// ledger like any other.
class NumaMeminfo final : public Ledger {
 public:
  NumaMeminfo(const FileRoot& root, int node);
  std::string_view name() const override { return name_; }
  Cost cost() const override { return Cost::cheap; }
  void read(std::vector<Reading>& out) override;

 private:
  std::string name_;
  KernelFile file_;
};

/// The numbers of the NUMA nodes there are, ascending; empty without /sys/devices/system/node.
std::vector<int> numa_nodes(const FileRoot& root);
/// Whether a node has cores. Nodes that have none hold memory only and are no place to bind a rank to.
bool node_has_cpus(const FileRoot& root, int node);

}  // namespace sparkmpi::ledger
