#include "chroot/path_walk.hpp"

namespace sparkmpi::chroot {

namespace fs = std::filesystem;

PathWalk::PathWalk(const fs::path& path) {
  push(path.relative_path());
}

std::optional<fs::path> PathWalk::next() {
  while (!todo_.empty()) {
    const fs::path part = todo_.back();
    todo_.pop_back();
    if (part.empty() || part == ".") continue;
    if (part != "..") return at_ / part;
    at_ = at_.parent_path();
  }
  return std::nullopt;
}

bool PathWalk::follow(const fs::path& target) {
  constexpr int kMostLinks = 40;
  if (target.is_absolute()) at_ = "/";
  push(target.relative_path());
  return ++links_ <= kMostLinks;
}

void PathWalk::push(const fs::path& more) {
  const std::vector<fs::path> parts(more.begin(), more.end());
  todo_.insert(todo_.end(), parts.rbegin(), parts.rend());
}

}  // namespace sparkmpi::chroot
