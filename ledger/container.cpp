#include "ledger/container.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <array>

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
  for (const std::string_view known : {"docker", "podman", "apptainer", "lxc", "enroot", "bwrap"}) {
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

Found by_marks(const FileRoot& root) {
  struct Mark {
    std::string_view file, name;
  };
  constexpr std::array<Mark, 3> kMarks = {
      {{".singularity.d", "apptainer"}, {"run/.containerenv", "podman"}, {".dockerenv", "docker"}}};
  for (const Mark& mark : kMarks) {
    if (exists(root, mark.file))
      return ContainerVerdict{std::string(mark.name), fmt::format("/{} exists", mark.file)};
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
  const auto text = read_text(root / "proc/self/mountinfo");
  if (!text || text->empty()) return false;
  std::string_view rest = *text;
  while (!rest.empty()) {
    std::string_view line = next_line(rest);
    for (int field = 0; field < 4; ++field) line.remove_prefix(std::min(line.size(), line.find(' ') + 1));
    if (line.starts_with("/ ")) return false;
  }
  return true;
}

/// Compares this process's root directory with that of process 1. Only for the live system, and only root may
/// look.
bool root_differs_from_init(const FileRoot& root) {
  struct stat mine {
  }, first{};
  return root.path == "/" && stat("/", &mine) == 0 && stat("/proc/1/root/", &first) == 0 &&
         (mine.st_ino != first.st_ino || mine.st_dev != first.st_dev);
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
  return {"native", "no sign of a container or a chroot"};
}

}  // namespace sparkmpi::ledger
