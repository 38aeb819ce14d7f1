#pragma once
// A private mount namespace: what is mounted in it ends with its processes, whatever they die of.

#include <filesystem>
#include <string>
#include <vector>

namespace sparkmpi::chroot {

struct Bind {
  std::filesystem::path source;  ///< here
  std::filesystem::path target;  ///< inside, absolute
  bool read_only = false;
};

/// "SOURCE", "SOURCE:TARGET" or "SOURCE:TARGET:ro", as container tools take it. Throws UsageError for
/// relative targets and for sources that do not exist.
Bind parse_bind(const std::string& text);

/// Gives the calling process a mount namespace of its own whose mounts nobody else sees; without root a user
/// namespace as well, in which it keeps its user and group. A user namespace is for processes of one thread
/// (unshare(2)) and libraries start threads before main(): without root the work goes on in a child, and the
/// caller becomes its guardian, which passes signals on and ends as the child ends. Throws Error with what
/// the kernel said and what to do.
void enter_private_namespace();

/// Binds a file or directory into `root`, making the mount point; links in the root are followed within it.
/// Throws Error naming both.
void bind_into(const std::filesystem::path& root, const Bind& bind);

/// Makes `root` the root directory of this process (pivot_root, or chroot where the present root is no mount
/// point) and goes to `directory` in it, "/" when that does not exist there. Throws Error.
void change_root(const std::filesystem::path& root, const std::filesystem::path& directory);

}  // namespace sparkmpi::chroot
