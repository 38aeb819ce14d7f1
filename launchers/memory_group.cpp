#include "launchers/memory_group.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <thread>

#include "base/error.hpp"
#include "chroot/guardian.hpp"
#include "ledger/cgroup_location.hpp"
#include "ledger/field_file.hpp"

namespace sparkmpi::launchers {
namespace {

namespace fs = std::filesystem;

/// The kernel answers a refused value at write(2), which a stream would not pass on.
int write_value(const fs::path& file, const std::string& value) {
  const int descriptor = open(file.c_str(), O_WRONLY | O_CLOEXEC);
  if (descriptor < 0) return errno;
  const ssize_t written = write(descriptor, value.data(), value.size());
  const int status = written < 0 ? errno : 0;
  close(descriptor);
  return status;
}

void require_written(const fs::path& file, const std::string& value) {
  if (const int status = write_value(file, value); status != 0)
    throw Error(fmt::format("{} refuses '{}': {}", file.string(), value, std::strerror(status)));
}

bool hands_memory_on(const fs::path& group) {
  const auto enabled = [&] {
    return (" " + ledger::first_line(group / "cgroup.subtree_control") + " ").find(" memory ") !=
           std::string::npos;
  };
  if (enabled()) return true;
  return write_value(group / "cgroup.subtree_control", "+memory") == 0 && enabled();
}

/// Only the hierarchy's root has no type, and it alone may have processes beside groups with controllers.
bool is_root(const fs::path& group) {
  std::error_code failed;
  return !fs::exists(group / "cgroup.type", failed);
}

void remove_group(const fs::path& group) noexcept {
  // The kernel takes a moment to let the last process go.
  for (int attempt = 0; attempt < 100 && rmdir(group.c_str()) != 0 && errno == EBUSY; ++attempt)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
}

fs::path parent_of(const MemoryGroupOptions& options) {
  if (!options.parent) return default_parent();
  const auto location = ledger::locate_memory_cgroup({});
  if (location.levels.empty()) throw Error("there is no memory cgroup on this machine");
  fs::path parent = location.levels.back() / fs::path(*options.parent).relative_path();
  if (!fs::is_directory(parent))
    throw UsageError(fmt::format("there is no cgroup '{}' ({})", *options.parent, parent.string()));
  return parent;
}

}  // namespace

fs::path default_parent(const ledger::FileRoot& root) {
  const auto location = ledger::locate_memory_cgroup(root);
  if (location.levels.empty()) throw Error("there is no memory cgroup on this machine");
  if (location.version != ledger::CgroupVersion::v2) return location.levels.front();
  for (const fs::path& group : location.levels) {
    const bool free_of_processes = ledger::first_line(group / "cgroup.procs").empty();
    if ((is_root(group) || free_of_processes) && hands_memory_on(group)) return group;
  }
  throw Error(
      "no cgroup here hands the memory controller to a new group; as root, or under systemd: "
      "systemd-run --user --scope -p Delegate=yes");
}

std::string group_path(const std::optional<std::string>& parent, const std::string& name) {
  const fs::path group = parent_of({name, std::nullopt, parent}) / name;
  const fs::path top = ledger::locate_memory_cgroup({}).levels.back();
  return "/" + group.lexically_relative(top).string();
}

void enter_memory_group(const MemoryGroupOptions& options) {
  if (options.name.empty() || options.name.front() == '.' || options.name.find('/') != std::string::npos)
    throw UsageError(fmt::format("'{}' is no name for a cgroup: one path component", options.name));
  const auto version = ledger::locate_memory_cgroup({}).version;
  const fs::path group = parent_of(options) / options.name;
  std::error_code failed;
  if (!fs::create_directory(group, failed))
    throw Error(fmt::format("the cgroup {} can't be made: {}", group.string(),
                            failed ? failed.message() : "it exists already"));
  chroot::continue_in_child([group] { remove_group(group); });
  if (options.limit_bytes) {
    const bool second = version == ledger::CgroupVersion::v2;
    require_written(group / (second ? "memory.max" : "memory.limit_in_bytes"),
                    std::to_string(*options.limit_bytes));
  }
  require_written(group / "cgroup.procs", "0");
}

}  // namespace sparkmpi::launchers
