#include "chroot/mounts.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "base/error.hpp"
#include "chroot/guardian.hpp"
#include "chroot/inside.hpp"

namespace sparkmpi::chroot {
namespace {

namespace fs = std::filesystem;

void write_proc(const char* file, const std::string& text) {
  std::ofstream out(file);
  out << text;
  if (!out.flush()) throw Error(fmt::format("{} refuses '{}': {}", file, text, std::strerror(errno)));
}

/// A user namespace in which this user and group keep their numbers, so that files belong to whom they
/// belong outside.
void enter_user_namespace() {
  const uid_t user = geteuid();
  const gid_t group = getegid();
  if (unshare(CLONE_NEWUSER) != 0)
    throw Error(
        fmt::format("no user namespace: {}; allow it (sysctl kernel.unprivileged_userns_clone=1, "
                    "user.max_user_namespaces), or run as root",
                    std::strerror(errno)));
  write_proc("/proc/self/setgroups", "deny");
  write_proc("/proc/self/uid_map", fmt::format("{} {} 1", user, user));
  write_proc("/proc/self/gid_map", fmt::format("{} {} 1", group, group));
}

void make_mount_point(const fs::path& source, const fs::path& target) {
  std::error_code failed;
  if (fs::exists(target, failed)) return;
  if (fs::is_directory(source)) {
    fs::create_directories(target, failed);
  } else {
    fs::create_directories(target.parent_path(), failed);
    const int file = open(target.c_str(), O_CREAT | O_RDONLY | O_CLOEXEC, 0644);
    if (file >= 0) close(file);
  }
  if (!fs::exists(target, failed))
    throw Error(
        fmt::format("the mount point {} can't be made; is the root file system writable?", target.string()));
}

}  // namespace

Bind parse_bind(const std::string& text) {
  const std::size_t first = text.find(':'),
                    second = first == std::string::npos ? first : text.find(':', first + 1);
  Bind bind;
  bind.source = text.substr(0, first);
  bind.target =
      first == std::string::npos ? bind.source.string() : text.substr(first + 1, second - first - 1);
  const std::string mode = second == std::string::npos ? "rw" : text.substr(second + 1);
  if (mode != "ro" && mode != "rw")
    throw UsageError(fmt::format("--bind '{}': the third part is ro or rw", text));
  bind.read_only = mode == "ro";
  std::error_code failed;
  if (!bind.target.is_absolute())
    throw UsageError(fmt::format("--bind '{}': the place inside has to be an absolute path", text));
  if (!fs::exists(bind.source, failed))
    throw UsageError(fmt::format("--bind '{}': {} does not exist", text, bind.source.string()));
  return bind;
}

void enter_private_namespace() {
  if (geteuid() != 0) {
    continue_in_child();
    enter_user_namespace();
  }
  if (unshare(CLONE_NEWNS) != 0)
    throw Error(fmt::format("no mount namespace of its own: {}; it takes root or a user namespace",
                            std::strerror(errno)));
  if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 && errno != EINVAL)
    throw Error(fmt::format("mounts can't be made private: {}", std::strerror(errno)));
}

void bind_into(const fs::path& root, const Bind& bind) {
  const fs::path target = resolve_inside(root, bind.target);
  make_mount_point(bind.source, target);
  if (mount(bind.source.c_str(), target.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0)
    throw Error(fmt::format("{} can't be mounted at {}: {}", bind.source.string(), target.string(),
                            std::strerror(errno)));
  if (bind.read_only &&
      mount(nullptr, target.c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr) != 0)
    throw Error(fmt::format("{} can't be made read-only: {}", target.string(), std::strerror(errno)));
}

void change_root(const fs::path& root, const fs::path& directory) {
  if (chdir(root.c_str()) != 0)
    throw Error(fmt::format("{} can't be entered: {}", root.string(), std::strerror(errno)));
  // The old root is stacked on the new one and then taken off (pivot_root(2), "pivot_root(".", ".")").
  if (syscall(SYS_pivot_root, ".", ".") == 0) {
    if (umount2(".", MNT_DETACH) != 0)
      throw Error(fmt::format("the old root can't be left: {}", std::strerror(errno)));
  } else if (::chroot(".") != 0) {
    throw Error(fmt::format("{} can't become the root directory: {}", root.string(), std::strerror(errno)));
  }
  if (chdir("/") != 0) throw Error(fmt::format("/ can't be entered: {}", std::strerror(errno)));
  if (!directory.empty() && chdir(directory.c_str()) != 0 && errno != ENOENT && errno != ENOTDIR)
    throw Error(fmt::format("{} can't be entered: {}", directory.string(), std::strerror(errno)));
}

}  // namespace sparkmpi::chroot
