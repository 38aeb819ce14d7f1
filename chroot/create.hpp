#pragma once
// Makes a root file system that holds the program and nothing that it does not need.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "chroot/placer.hpp"

namespace sparkmpi::chroot {

struct CreateOptions {
  std::filesystem::path root;
  CopyMode mode = CopyMode::copy;
  bool force = false;                        ///< fill a directory that is not empty
  bool cuda_libraries = true;                ///< cuBLASLt and NCCL, where they are here
  std::vector<std::filesystem::path> extra;  ///< files and directories to take along
};

struct CreateResult {
  std::size_t files = 0;
  std::uint64_t bytes = 0;
  std::vector<std::string> notes;
};

/// Needs neither an image nor a network nor root. The new root has the program at the path it has here, so
/// the same command line runs inside. Throws UsageError for a directory that is not empty, Error when a file
/// can't be copied or a library is not found.
CreateResult create_root(const CreateOptions& options);

}  // namespace sparkmpi::chroot
