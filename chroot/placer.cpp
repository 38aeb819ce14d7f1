#include "chroot/placer.hpp"

#include <fmt/format.h>

#include "base/error.hpp"

namespace sparkmpi::chroot {
namespace {

namespace fs = std::filesystem;

fs::path under(const fs::path& root, const fs::path& path) {
  return root / path.relative_path();
}

}  // namespace

void Placer::place(const fs::path& path) {
  const fs::path clean = fs::absolute(path).lexically_normal();
  if (!done_.insert(clean).second) return;
  try {
    if (clean.has_parent_path() && clean != clean.root_path()) make_directory(clean.parent_path());
    const fs::file_status status = fs::symlink_status(clean);
    if (fs::is_symlink(status)) {
      place_link(clean);
    } else if (fs::is_directory(status)) {
      fs::create_directories(under(root_, clean));
      for (const fs::directory_entry& entry : fs::directory_iterator(clean)) place(entry.path());
    } else if (fs::is_regular_file(status)) {
      place_file(clean);
    }
  } catch (const fs::filesystem_error& error) {
    throw Error(fmt::format("{} can't be placed under {}: {}", clean.string(), root_.string(),
                            error.code().message()));
  }
}

void Placer::make_directory(const fs::path& path) {
  if (path == path.root_path()) return;
  // A link on the way (/lib → usr/lib) becomes the same link there.
  if (fs::is_symlink(fs::symlink_status(path))) {
    if (done_.insert(path).second) {
      make_directory(path.parent_path());
      place_link(path);
    }
    return;
  }
  make_directory(path.parent_path());
  fs::create_directories(under(root_, path));
}

void Placer::place_link(const fs::path& path) {
  const fs::path target = fs::read_symlink(path), here = under(root_, path);
  if (!fs::is_symlink(fs::symlink_status(here))) fs::create_symlink(target, here);
  const fs::path leads_to = target.is_absolute() ? target : path.parent_path() / target;
  if (!fs::exists(leads_to)) return;
  // Directories that are linked to are made, not filled: what is in them is placed by those who need it.
  if (fs::is_directory(leads_to)) {
    make_directory(leads_to.lexically_normal());
  } else {
    place(leads_to);
  }
}

void Placer::place_file(const fs::path& path) {
  const fs::path here = under(root_, path);
  files_.insert(path);
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
