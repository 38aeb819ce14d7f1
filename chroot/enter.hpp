#pragma once
// Runs a command in a root file system.

#include <filesystem>
#include <string>
#include <vector>

#include "chroot/mounts.hpp"

namespace sparkmpi::chroot {

struct EnterOptions {
  std::filesystem::path root;
  std::vector<std::string> argv;  ///< looked up in PATH inside; empty: a shell
  std::vector<Bind> binds;
  bool gpu = true;  ///< bring the host's driver along where there is one
};

/// Mounts proc, sys, dev (with shm and the GPU's nodes), tmp, the host's name resolution and the binds in a
/// private namespace, changes root and becomes the command, in the caller's directory where the root has it.
/// Nothing stays mounted, whatever dies. Does not return; throws Error or UsageError when it can't get that
/// far.
[[noreturn]] void enter_root(const EnterOptions& options);

}  // namespace sparkmpi::chroot
