#pragma once
// How this process was started: native, chroot or in which container, under which limits and launcher.

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/attributes.hpp"
#include "ledger/ledger.hpp"

namespace sparkmpi::ledger {

/// Looks up an environment variable; a parameter so that tests need not change the process's own environment.
using Getenv = std::function<std::optional<std::string>(std::string_view)>;
std::optional<std::string> process_environment(std::string_view name);

/// What detection found. `name` is "native", "chroot", "docker", "podman", "apptainer", "nspawn", "lxc",
/// "enroot", "bwrap", "cgroup" (a memory cgroup of this program and nothing else) or "container" (a container
/// of unknown make).
struct Environment {
  std::string name;
  std::string evidence;  ///< what decided, e.g. "/.dockerenv exists"
  /// Everything else worth keeping: cgroup version and path, limits, namespaces' inode numbers, launcher
  /// ("slurm", "mpirun", "none"), SLURM_* ids, security modules, overcommit and THP settings, memlock and shm
  /// limits.
  Attributes facts;
};

Environment detect_environment(const FileRoot& root = {}, const Getenv& getenv = process_environment);

}  // namespace sparkmpi::ledger
