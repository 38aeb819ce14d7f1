#pragma once
// Copies files into a root file system at the paths that they have here.

#include <cstdint>
#include <filesystem>
#include <optional>
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
  Placer(const std::filesystem::path& root, CopyMode mode);

  /// Places a file, or a directory with all that is in it, under root at its own absolute path. Symbolic
  /// links along the way are kept as links and their targets placed as well; a directory that is linked to is
  /// made and not filled. What does not exist is passed over. Writes nowhere but under root: absolute links
  /// there lead to the host's files for whoever follows them from outside. Throws Error naming the file.
  void place(const std::filesystem::path& path);
  /// Regular files placed so far, at their real paths.
  const std::set<std::filesystem::path>& files() const { return files_; }
  std::uint64_t bytes() const { return bytes_; }

 private:
  /// The real path of `path`, its directories and the links on the way made under root; nothing when it does
  /// not exist.
  std::optional<std::filesystem::path> walk(const std::filesystem::path& path);
  /// Where the real path `path` of the host goes. Throws Error when links in the root lead elsewhere.
  std::filesystem::path place_of(const std::filesystem::path& path) const;
  void place_real(const std::filesystem::path& path, bool fill);
  void place_file(const std::filesystem::path& path);

  std::filesystem::path root_;  ///< canonical
  CopyMode mode_;
  std::set<std::filesystem::path> filled_, files_;
  std::uint64_t bytes_ = 0;
};

}  // namespace sparkmpi::chroot
