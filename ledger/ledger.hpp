#pragma once
// The interface of one ledger, and the set that a rank reads. A new ledger is one file in this folder that
// implements Ledger, and one line in standard_ledgers().

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/reading.hpp"

namespace sparkmpi::ledger {

/// What a reading costs: the sampler thread takes only cheap ledgers, snapshots take all.
/// (smaps_rollup walks every page table of the process: milliseconds on a large one.)
enum class Cost : std::uint8_t { cheap, costly };

class Ledger {
 public:
  virtual ~Ledger() = default;
  /// The first part of its readings' names: "meminfo", "cgroup", "smaps_rollup".
  virtual std::string_view name() const = 0;
  virtual Cost cost() const = 0;
  /// Appends this ledger's readings, the same names in the same order at every call. Never throws for what
  /// the machine lacks: that is an Answer.
  virtual void read(std::vector<Reading>& out) = 0;
};

/// Where /proc and /sys are found; a recorded tree in tests, "/" otherwise.
struct FileRoot {
  std::filesystem::path path = "/";
  std::filesystem::path operator/(std::string_view relative) const { return path / relative; }
};

class LedgerSet {
 public:
  void add(std::unique_ptr<Ledger> ledger);
  /// Reads every ledger, or only the cheap ones.
  std::vector<Reading> read(bool cheap_only = false);

 private:
  std::vector<std::unique_ptr<Ledger>> ledgers_;
};

/// Every host ledger this machine can have, for the calling process: meminfo, per-NUMA meminfo, vmstat, PSI,
/// smaps_rollup, status, and the memory cgroup (v1, v2 or hybrid) with its ancestors up to the root.
LedgerSet standard_ledgers(const FileRoot& root = {});

}  // namespace sparkmpi::ledger
