#include "ledger/container.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <vector>

#include "ledger/cgroup_location.hpp"
#include "ledger/field_file.hpp"

namespace sparkmpi::ledger {
namespace {

using Found = std::optional<ContainerVerdict>;

bool exists(const FileRoot& root, std::string_view path) {
  std::error_code failed;
  return std::filesystem::exists(root / path, failed);
}

/// What container managers call themselves in `container=` (systemd's container interface) → our names.
Found by_manager(std::string_view manager, std::string_view where) {
  if (manager.empty()) return std::nullopt;
  std::string name = "container";
  for (const std::string_view known : {"docker", "podman", "runc", "apptainer", "lxc", "enroot", "bwrap"}) {
    if (manager.starts_with(known)) name = known;
  }
  if (manager == "systemd-nspawn") name = "nspawn";
  if (manager == "singularity") name = "apptainer";
  if (manager == "oci")
    name = "podman";  // podman and CRI-O write this; the files looked at before tell docker apart
  return ContainerVerdict{name, fmt::format("{} says '{}'", where, manager)};
}

Found by_variables(const Getenv& getenv) {
  for (const std::string_view variable : {"APPTAINER_CONTAINER", "SINGULARITY_CONTAINER"}) {
    if (getenv(variable)) return ContainerVerdict{"apptainer", fmt::format("{} is set", variable)};
  }
  if (const auto root = getenv("SPARKMPI_ROOTFS"))
    return ContainerVerdict{"chroot", fmt::format("sparkmpi rootfs enter {}", *root)};
  if (getenv("ENROOT_ROOTFS")) return ContainerVerdict{"enroot", "ENROOT_ROOTFS is set"};
  return std::nullopt;
}

/// The fields of mountinfo (proc(5)) that say what is mounted where.
struct Mount {
  std::string_view point, type;
};

std::vector<Mount> mounts_in(std::string_view mountinfo) {
  std::vector<Mount> mounts;
  while (!mountinfo.empty()) {
    std::string_view line = next_line(mountinfo);
    for (int field = 0; field < 4; ++field) line.remove_prefix(std::min(line.size(), line.find(' ') + 1));
    Mount mount{line.substr(0, line.find(' ')), {}};
    if (const std::size_t dash = line.find(" - "); dash != std::string_view::npos) {
      const std::string_view rest = line.substr(dash + 3);
      mount.type = rest.substr(0, rest.find(' '));
    }
    if (!mount.point.empty()) mounts.push_back(mount);
  }
  return mounts;
}

/// Marks lie in images as well, and a virtual machine or a chroot that was unpacked from one has them: a mark
/// counts only with something that none but a container's manager does for a running container. Empty:
/// nothing.
std::string sign_of_running(const FileRoot& root) {
  const std::string mountinfo = read_text(root / "proc/self/mountinfo").value_or("");
  constexpr std::array<std::string_view, 3> kLayered = {"overlay", "fuse.fuse-overlayfs", "aufs"};
  // docker and podman give each container these files of its own, whatever its root is made of.
  constexpr std::array<std::string_view, 2> kGiven = {"/etc/hostname", "/run/.containerenv"};
  for (const Mount& mount : mounts_in(mountinfo)) {
    if (mount.point == "/" && std::ranges::find(kLayered, mount.type) != kLayered.end())
      return fmt::format("/ is of type {}", mount.type);
    if (std::ranges::find(kGiven, mount.point) != kGiven.end())
      return fmt::format("{} is a mount of its own", mount.point);
  }
  const std::string cgroup = read_text(root / "proc/self/cgroup").value_or("");
  for (const std::string_view part : {"/docker/", "docker-", "libpod-", "kubepods"}) {
    if (cgroup.find(part) != std::string::npos) return fmt::format("the cgroup's path holds '{}'", part);
  }
  return "";
}

Found by_marks(const FileRoot& root) {
  struct Mark {
    std::string_view file, name;
  };
  constexpr std::array<Mark, 3> kMarks = {
      {{".singularity.d", "apptainer"}, {"run/.containerenv", "podman"}, {".dockerenv", "docker"}}};
  for (const Mark& mark : kMarks) {
    if (!exists(root, mark.file)) continue;
    if (const std::string sign = sign_of_running(root); !sign.empty())
      return ContainerVerdict{std::string(mark.name), fmt::format("/{} exists and {}", mark.file, sign)};
  }
  return std::nullopt;
}

Found by_cgroup(const FileRoot& root) {
  struct Part {
    std::string_view text, name;
  };
  constexpr std::array<Part, 6> kParts = {{{"/docker/", "docker"},
                                           {"docker-", "docker"},
                                           {"libpod-", "podman"},
                                           {"/lxc/", "lxc"},
                                           {"lxc.payload", "lxc"},
                                           {"kubepods", "container"}}};
  const auto text = read_text(root / "proc/self/cgroup");
  for (const Part& part : kParts) {
    if (text && text->find(part.text) != std::string::npos) {
      return ContainerVerdict{std::string(part.name), fmt::format("the cgroup's path holds '{}'", part.text)};
    }
  }
  return std::nullopt;
}

/// A chroot's directory is rarely a mount point, and then no line of mountinfo mounts "/".
bool nothing_is_mounted_on_root(const FileRoot& root) {
  const std::string mountinfo = read_text(root / "proc/self/mountinfo").value_or("");
  return !mountinfo.empty() &&
         std::ranges::none_of(mounts_in(mountinfo), [](const Mount& mount) { return mount.point == "/"; });
}

/// Compares this process's root directory with that of process 1. Only for the live system, and only root may
/// look.
bool root_differs_from_init(const FileRoot& root) {
  struct stat mine {
  }, first{};
  return root.path == "/" && stat("/", &mine) == 0 && stat("/proc/1/root/", &first) == 0 &&
         (mine.st_ino != first.st_ino || mine.st_dev != first.st_dev);
}

/// `sparkmpi cgroup` names the group it made; the variable counts only in that group.
Found by_memory_group(const FileRoot& root, const Getenv& getenv) {
  const auto group = getenv("SPARKMPI_CGROUP");
  if (!group || group->empty()) return std::nullopt;
  const std::string path = locate_memory_cgroup(root).path;
  if (path != "/" + *group && !path.ends_with("/" + *group)) return std::nullopt;
  return ContainerVerdict{"cgroup", fmt::format("sparkmpi cgroup made {}", path)};
}

}  // namespace

ContainerVerdict detect_container(const FileRoot& root, const Getenv& getenv) {
  if (const Found found = by_variables(getenv)) return *found;
  if (const Found found = by_marks(root)) return *found;
  if (const Found found = by_manager(getenv("container").value_or(""), "the variable 'container'"))
    return *found;
  if (const Found found =
          by_manager(first_line(root / "run/host/container-manager"), "/run/host/container-manager"))
    return *found;
  if (const Found found = by_manager(first_line(root / "run/systemd/container"), "/run/systemd/container"))
    return *found;
  if (first_line(root / "proc/1/comm") == "bwrap") return {"bwrap", "process 1 is bwrap"};
  if (const Found found = by_cgroup(root)) return *found;
  if (root_differs_from_init(root)) return {"chroot", "the root directory is not that of process 1"};
  if (nothing_is_mounted_on_root(root)) return {"chroot", "no file system is mounted on /"};
  if (const Found found = by_memory_group(root, getenv)) return *found;
  return {"native", "no sign of a container or a chroot"};
}

}  // namespace sparkmpi::ledger
