#pragma once
// Whether a root file system can run the program, before anybody waits for a job that cannot.

#include <filesystem>
#include <string>
#include <vector>

namespace sparkmpi::chroot {

struct Finding {
  bool good = false;
  std::string what;
  std::string cure;  ///< what to do; empty when good
};

/// Looks at the architecture, the program, its loader and MPI's plug-ins, and then enters the root and starts
/// the program there (`--version`), which finds every library that is missing. Throws UsageError when `root`
/// is no directory.
/// @param program the path of the program inside.
std::vector<Finding> check_root(const std::filesystem::path& root, const std::filesystem::path& program);

}  // namespace sparkmpi::chroot
