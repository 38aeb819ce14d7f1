#pragma once
// Paths in a root file system as a process in there would follow them. Followed from outside, an absolute
// link leads out of the root, and what is written or removed behind it is the host's.

#include <filesystem>

namespace sparkmpi::chroot {

/// The place behind `path` (as seen inside) with every link followed within the root: absolute targets and
/// ".." end at the root. What does not exist is left as it is named. Throws Error for more than 40 links.
std::filesystem::path resolve_inside(const std::filesystem::path& root, const std::filesystem::path& path);

}  // namespace sparkmpi::chroot
