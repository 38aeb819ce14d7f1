#pragma once
// Where the calling process's memory cgroup lies in the file system, in every arrangement that Linux knows.

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

#include "ledger/ledger.hpp"

namespace sparkmpi::ledger {

enum class CgroupVersion : std::uint8_t {
  none,
  v1,      ///< only version 1 hierarchies
  v2,      ///< the unified hierarchy, with the memory controller in it
  hybrid,  ///< both are mounted and version 1 has the memory controller
};
std::string_view to_string(CgroupVersion version);

struct CgroupLocation {
  CgroupVersion version = CgroupVersion::none;
  std::string path;  ///< as /proc/self/cgroup says it; "/" in a cgroup namespace's root
  /// The process's own group first, then its parents up to the highest that is visible here (a container sees
  /// its own subtree only).
  std::vector<std::filesystem::path> levels;
};

/// Reads proc/self/cgroup and proc/self/mountinfo.
CgroupLocation locate_memory_cgroup(const FileRoot& root);

}  // namespace sparkmpi::ledger
