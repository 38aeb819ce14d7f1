#include "chroot/placer.hpp"

#include <fmt/format.h>

#include <vector>

#include "base/error.hpp"
#include "chroot/path_walk.hpp"

namespace sparkmpi::chroot {

namespace fs = std::filesystem;

Placer::Placer(const fs::path& root, CopyMode mode) : root_(fs::canonical(root)), mode_(mode) {}

void Placer::place(const fs::path& path) {
  try {
    const fs::path whole = fs::absolute(path);
    const bool link = fs::is_symlink(fs::symlink_status(whole));
    if (const auto real = walk(whole)) place_real(*real, !link);
  } catch (const fs::filesystem_error& error) {
    throw Error(fmt::format("{} can't be placed under {}: {}", path.string(), root_.string(),
                            error.code().message()));
  }
}

std::optional<fs::path> Placer::walk(const fs::path& path) {
  PathWalk walk(path);
  while (const auto next = walk.next()) {
    const fs::file_status status = fs::symlink_status(*next);
    if (!fs::exists(status)) return std::nullopt;
    if (fs::is_symlink(status)) {
      const fs::path target = fs::read_symlink(*next), here = place_of(*next);
      if (!walk.follow(target)) throw Error(fmt::format("{}: too many links", path.string()));
      if (!fs::is_symlink(fs::symlink_status(here))) fs::create_symlink(target, here);
      continue;
    }
    if (fs::is_directory(status)) fs::create_directories(place_of(*next));
    walk.enter(*next);
  }
  return walk.at();
}

fs::path Placer::place_of(const fs::path& path) const {
  fs::path here = root_ / path.relative_path();
  const fs::path folder = here.parent_path();
  if (fs::weakly_canonical(folder) != folder)
    throw Error(fmt::format("{} leads out of the root or elsewhere in it: {}; use an empty directory",
                            folder.string(), fs::weakly_canonical(folder).string()));
  return here;
}

void Placer::place_real(const fs::path& path, bool fill) {
  const fs::file_status status = fs::symlink_status(path);
  if (fs::is_regular_file(status)) return place_file(path);
  if (!fs::is_directory(status) || !fill || !filled_.insert(path).second) return;
  for (const fs::directory_entry& entry : fs::directory_iterator(path)) place(entry.path());
}

void Placer::place_file(const fs::path& path) {
  if (!files_.insert(path).second) return;
  const fs::path here = place_of(path);
  bytes_ += fs::file_size(path);
  fs::remove(here);
  if (mode_ == CopyMode::hard_link) {
    std::error_code failed;
    fs::create_hard_link(path, here, failed);
    if (!failed) return;
  }
  fs::copy_file(path, here);
}

}  // namespace sparkmpi::chroot
