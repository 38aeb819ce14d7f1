#pragma once
// A memory cgroup of its own for one command: made, limited, entered, and removed when the command has ended.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "ledger/ledger.hpp"

namespace sparkmpi::launchers {

struct MemoryGroupOptions {
  std::string name;                          ///< of the new group, one path component
  std::optional<std::uint64_t> limit_bytes;  ///< none: no limit
  std::optional<std::string> parent;  ///< path of the group under which it is made, from the hierarchy's root
};

/// Where a new group can be made. Version 1: the process's own group. Version 2: the nearest group, from the
/// process's own upwards, that hands the memory controller to its children and has no processes itself or is
/// the root (cgroups(7), "no internal processes"). Throws Error when there is none.
std::filesystem::path default_parent(const ledger::FileRoot& root = {});

/// Where a container's group is made, from the hierarchy's root: "/user.slice/sparkmpi-7" for the name
/// "sparkmpi-7", under `parent` where one is given. Throws as default_parent() does.
std::string group_path(const std::optional<std::string>& parent, const std::string& name);

/// Makes the group and puts the calling process into a child that runs in it; the caller's process stays as
/// its guardian and removes the group at the end. Returns in the child. Throws UsageError for a name that is
/// no path component, Error naming file and reason when the kernel refuses.
void enter_memory_group(const MemoryGroupOptions& options);

}  // namespace sparkmpi::launchers
