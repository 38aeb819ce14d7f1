#pragma once
// Copies files into a root file system at the paths that they have here.

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>

namespace sparkmpi::chroot {

enum class CopyMode : std::uint8_t {
  copy,       ///< an inode of its own: its page cache is kept apart from the original's
  hard_link,  ///< the same inode, so that the page cache is shared; copies where the file system differs
};

class Placer {
 public:
  /// @param root an existing directory.
  Placer(std::filesystem::path root, CopyMode mode) : root_(std::move(root)), mode_(mode) {}

  /// Places a file, or a directory with all that is in it, under root at its own absolute path. Symbolic
  /// links along the way are kept as links and their targets placed as well. Throws Error naming the file.
  void place(const std::filesystem::path& path);
  bool placed(const std::filesystem::path& path) const { return done_.contains(path); }
  /// Regular files placed so far, at their real paths.
  const std::set<std::filesystem::path>& files() const { return files_; }
  std::uint64_t bytes() const { return bytes_; }

 private:
  void place_file(const std::filesystem::path& path);
  void place_link(const std::filesystem::path& path);
  /// The directory at `path` with its parents, links among them kept; returns its real path.
  void make_directory(const std::filesystem::path& path);

  std::filesystem::path root_;
  CopyMode mode_;
  std::set<std::filesystem::path> done_, files_;
  std::uint64_t bytes_ = 0;
};

}  // namespace sparkmpi::chroot
