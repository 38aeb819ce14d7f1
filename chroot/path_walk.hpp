#pragma once
// A path followed link by link, whoever decides where a link's text is read.

#include <filesystem>
#include <optional>
#include <vector>

namespace sparkmpi::chroot {

/// Example:
///   PathWalk walk(path);
///   while (const auto next = walk.next()) { …; walk.enter(*next); or walk.follow(target) }
class PathWalk {
 public:
  /// @param path taken from "/", whether it begins there or not.
  explicit PathWalk(const std::filesystem::path& path);

  /// The path of the next component, below at(), nothing when the end is reached; "." and ".." are taken on
  /// the way.
  std::optional<std::filesystem::path> next();
  /// It is no link: goes on below it.
  void enter(const std::filesystem::path& next) { at_ = next; }
  /// It is a link: goes on at its target, an absolute one from "/". False for more links than the kernel
  /// follows (40, path_resolution(7)).
  bool follow(const std::filesystem::path& target);

  const std::filesystem::path& at() const { return at_; }

 private:
  void push(const std::filesystem::path& more);

  std::filesystem::path at_ = "/";
  std::vector<std::filesystem::path> todo_;  ///< the next component at the end
  int links_ = 0;
};

}  // namespace sparkmpi::chroot
