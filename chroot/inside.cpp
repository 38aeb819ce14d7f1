#include "chroot/inside.hpp"

#include <fmt/format.h>

#include <vector>

#include "base/error.hpp"

namespace sparkmpi::chroot {

namespace fs = std::filesystem;

fs::path resolve_inside(const fs::path& root, const fs::path& path) {
  constexpr int kMostLinks = 40;  // as the kernel (path_resolution(7))
  fs::path at = "/";
  std::vector<fs::path> todo;  // the next component at the end
  const auto push = [&](const fs::path& more) {
    const std::vector<fs::path> parts(more.begin(), more.end());
    todo.insert(todo.end(), parts.rbegin(), parts.rend());
  };
  push(path.relative_path());
  for (int links = 0; !todo.empty();) {
    const fs::path part = todo.back();
    todo.pop_back();
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      at = at.parent_path();
      continue;
    }
    std::error_code failed;
    const fs::path target = fs::read_symlink(root / (at / part).relative_path(), failed);
    if (failed) {
      at /= part;
      continue;
    }
    if (++links > kMostLinks)
      throw Error(fmt::format("{}: too many links in {}", path.string(), root.string()));
    if (target.is_absolute()) at = "/";
    push(target.relative_path());
  }
  return root / at.relative_path();
}

}  // namespace sparkmpi::chroot
