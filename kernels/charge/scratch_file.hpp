#pragma once
// The file whose pages are charged when it is read.

#include <cstddef>
#include <filesystem>
#include <string>

namespace sparkmpi::kernels::charge {

/// A directory for scratch files: "" looks through the working directory, $TMPDIR, /var/tmp and /tmp for one
/// on a file system that keeps its data outside memory. Throws UsageError when `wanted` is no such directory
/// or can't be written, or (for "") when none is found.
std::filesystem::path scratch_directory(const std::string& wanted);

/// "ext4", "xfs", "overlay", "nfs", … or the number that statfs(2) gives.
std::string file_system_of(const std::filesystem::path& directory);

/// Made and filled on construction and unlinked at once, so that nothing is left behind whatever happens.
class ScratchFile {
 public:
  /// Throws Error when the file can't be written.
  ScratchFile(const std::filesystem::path& directory, std::size_t bytes);
  ~ScratchFile();
  ScratchFile(const ScratchFile&) = delete;             ///< owns a descriptor
  ScratchFile& operator=(const ScratchFile&) = delete;  ///< owns a descriptor

  /// How this process and its children open it.
  const std::string& path() const { return path_; }
  std::size_t bytes() const { return bytes_; }
  /// Throws Error when pages stay in the page cache.
  void drop_from_cache() const;

 private:
  int descriptor_ = -1;
  std::size_t bytes_;
  std::string path_;
};

}  // namespace sparkmpi::kernels::charge
