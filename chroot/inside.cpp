#include "chroot/inside.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "chroot/path_walk.hpp"

namespace sparkmpi::chroot {

namespace fs = std::filesystem;

fs::path resolve_inside(const fs::path& root, const fs::path& path) {
  PathWalk walk(path);
  while (const auto next = walk.next()) {
    std::error_code failed;
    const fs::path target = fs::read_symlink(root / next->relative_path(), failed);
    if (failed) {
      walk.enter(*next);
    } else if (!walk.follow(target)) {
      throw Error(fmt::format("{}: too many links in {}", path.string(), root.string()));
    }
  }
  return root / walk.at().relative_path();
}

}  // namespace sparkmpi::chroot
