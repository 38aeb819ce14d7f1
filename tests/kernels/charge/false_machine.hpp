#pragma once
// A machine of files whose ledgers move as a test wants, read through the program's own ledgers.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "kernels/charge/allocator.hpp"
#include "kernels/charge/matrix.hpp"
#include "ledger/ledger.hpp"

namespace sparkmpi::kernels::charge {

/// By how much each ledger moves for a byte.
struct Truth {
  double rss = 1, mem_free = 1, mem_available = 1, cgroup = 1, parent = 1;
};

class FalseMachine {
 public:
  FalseMachine() {
    std::string name = (std::filesystem::temp_directory_path() / "sparkmpi-tree-XXXXXX").string();
    root_ = mkdtemp(name.data());
    write("proc/self/cgroup", "0::/user/job\n");
    write("proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    update(0, 0, 0, 0, 0);
  }
  ~FalseMachine() { std::filesystem::remove_all(root_); }
  FalseMachine(const FalseMachine&) = delete;
  FalseMachine& operator=(const FalseMachine&) = delete;

  /// A whole cell: before, touch_cpu, free. @param noise bytes that MemFree falls besides.
  Observation cell(const std::string& allocator, std::size_t bytes, const Truth& truth, double noise = 0) {
    Observation observation{allocator, bytes, {}, "", cells_++};
    ledger::LedgerSet ledgers = ledger::standard_ledgers({root_});
    const auto read = [&](const char* moment) {
      observation.snapshots.push_back({moment, 0, ledgers.read()});
    };
    update(0, 0, 0, 0, 0);
    read("before");
    const auto all = static_cast<double>(bytes);
    update(truth.rss * all, truth.mem_free * all + noise, truth.mem_available * all + noise,
           truth.cgroup * all, truth.parent * all);
    read("touch_cpu");
    update(0, noise, noise, 0, 0);
    read("free");
    return observation;
  }

  std::filesystem::path path(const std::string& name) const { return root_ / name; }

 private:
  void write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << text;
  }

  /// Changes from a machine at rest, in bytes; the kernel's files have kB where they say so.
  void update(double rss, double mem_free, double mem_available, double cgroup, double parent) const {
    const auto kb = [](double bytes) {
      return std::to_string(static_cast<long long>(bytes / 1024)) + " kB\n";
    };
    constexpr double kGiB = 1 << 30;
    write("proc/meminfo", "MemTotal: " + kb(64 * kGiB) + "MemFree: " + kb(32 * kGiB - mem_free) +
                              "MemAvailable: " + kb(48 * kGiB - mem_available));
    write("proc/self/status", "Name: x\nVmRSS: " + kb(0.01 * kGiB + rss));
    const auto number = [](double bytes) { return std::to_string(static_cast<long long>(bytes)) + "\n"; };
    write("sys/fs/cgroup/user/job/memory.current", number(kGiB + cgroup));
    write("sys/fs/cgroup/user/memory.current", number(2 * kGiB + parent));
  }

  std::filesystem::path root_;
  std::size_t cells_ = 0;
};

inline constexpr std::size_t kMiB = std::size_t{1} << 20;

/// The controls and `allocator`, two blocks of three sizes, and idle cells.
/// @param noise of each cell on MemFree, in turn.
inline std::vector<Observation> experiment(FalseMachine& machine, const std::string& allocator,
                                           const Truth& truth, const std::vector<double>& noise = {0}) {
  const Truth of_cache{0, 1, 0, 1, 1}, nothing{0, 0, 0, 0, 0};
  std::vector<Observation> cells;
  const auto next_noise = [&] { return noise[cells.size() % noise.size()]; };
  for (const std::size_t bytes : {64 * kMiB, 128 * kMiB, 256 * kMiB, 64 * kMiB, 128 * kMiB, 256 * kMiB}) {
    cells.push_back(machine.cell("malloc", bytes, {}, next_noise()));
    cells.push_back(machine.cell("file_read", bytes, of_cache, next_noise()));
    cells.push_back(machine.cell(allocator, bytes, truth, next_noise()));
    cells.push_back(machine.cell(std::string(kIdle), bytes, nothing, next_noise()));
  }
  return cells;
}

}  // namespace sparkmpi::kernels::charge
