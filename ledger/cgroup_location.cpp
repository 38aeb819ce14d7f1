#include "ledger/cgroup_location.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "ledger/field_file.hpp"

namespace sparkmpi::ledger {
namespace {

struct Mount {
  std::string root;   ///< the directory of the hierarchy that is mounted
  std::string point;  ///< where it is mounted
};

struct Mounts {
  std::optional<Mount> v1_memory, v2;
};

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

/// mountinfo writes blanks, tabs, line ends and backslashes as \ooo.
std::string unescape(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned code = 0;
    if (text[i] == '\\' && i + 3 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 4, code, 8).ptr == text.data() + i + 4) {
      plain.push_back(static_cast<char>(code));
      i += 3;
    } else {
      plain.push_back(text[i]);
    }
  }
  return plain;
}

/// Format: proc(5), /proc/pid/mountinfo. Later mounts hide earlier ones on the same point, so the last one
/// wins.
Mounts read_mounts(const FileRoot& root) {
  Mounts mounts;
  const auto text = read_text(root / "proc/self/mountinfo");
  std::string_view rest = text ? std::string_view(*text) : std::string_view();
  while (!rest.empty()) {
    const std::string_view line = next_line(rest);
    const auto dash = line.find(" - ");
    if (dash == std::string_view::npos) continue;
    const auto before = split(line.substr(0, dash), ' '), after = split(line.substr(dash + 3), ' ');
    if (before.size() < 5 || after.empty()) continue;
    const Mount mount{unescape(before[3]), unescape(before[4])};
    if (after[0] == "cgroup2") mounts.v2 = mount;
    if (after[0] == "cgroup" && after.size() > 2) {
      const auto options = split(after[2], ',');
      if (std::ranges::find(options, "memory") != options.end()) mounts.v1_memory = mount;
    }
  }
  return mounts;
}

struct Paths {
  std::optional<std::string> v1_memory, v2;
};

Paths read_paths(const FileRoot& root) {
  Paths paths;
  const auto text = read_text(root / "proc/self/cgroup");
  std::string_view rest = text ? std::string_view(*text) : std::string_view();
  while (!rest.empty()) {
    const std::string_view line = next_line(rest);
    const auto first = line.find(':');
    const auto second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const std::string path(line.substr(second + 1));
    if (line.substr(0, first) == "0" && controllers.empty()) paths.v2 = path;
    const auto names = split(controllers, ',');
    if (std::ranges::find(names, "memory") != names.end()) paths.v1_memory = path;
  }
  return paths;
}

/// The group's directory below the mount. A path that leads out of what is mounted (a container without a
/// cgroup namespace whose own group is bound at the mount point, or "/../…" seen from inside a namespace)
/// means the mount point itself.
std::vector<std::filesystem::path> levels_of(const FileRoot& root, const Mount& mount,
                                             const std::string& path) {
  std::string below = path;
  if (mount.root != "/") {
    below = path.starts_with(mount.root) ? path.substr(mount.root.size()) : "/";
  }
  if (below.find("..") != std::string::npos) below = "/";
  const std::filesystem::path top = (root / std::string_view(mount.point).substr(1)).lexically_normal();
  std::filesystem::path group = (top / std::filesystem::path(below).relative_path()).lexically_normal();
  if (!group.has_filename()) group = group.parent_path();
  std::error_code failed;
  if (!std::filesystem::exists(group, failed)) group = top;
  std::vector<std::filesystem::path> levels = {group};
  while (levels.back() != top && levels.back().has_relative_path())
    levels.push_back(levels.back().parent_path());
  return levels;
}

}  // namespace

std::string_view to_string(CgroupVersion version) {
  switch (version) {
    case CgroupVersion::none:
      return "none";
    case CgroupVersion::v1:
      return "v1";
    case CgroupVersion::v2:
      return "v2";
    case CgroupVersion::hybrid:
      return "hybrid";
  }
  return "unknown";
}

CgroupLocation locate_memory_cgroup(const FileRoot& root) {
  const Mounts mounts = read_mounts(root);
  const Paths paths = read_paths(root);
  CgroupLocation location;
  if (mounts.v1_memory && paths.v1_memory) {
    location.version = mounts.v2 ? CgroupVersion::hybrid : CgroupVersion::v1;
    location.path = *paths.v1_memory;
    location.levels = levels_of(root, *mounts.v1_memory, location.path);
  } else if (mounts.v2 && paths.v2) {
    location.version = CgroupVersion::v2;
    location.path = *paths.v2;
    location.levels = levels_of(root, *mounts.v2, location.path);
  }
  return location;
}

}  // namespace sparkmpi::ledger
