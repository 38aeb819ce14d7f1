#include "ledger/cgroup.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace sparkmpi::ledger {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct ScalarFile {
  std::string_view name, v1, v2;
};

// Version 1 counts memory and swap together and has a soft limit only: those keep names of their own.
constexpr std::array<ScalarFile, 10> kScalars = {{
    {"current", "memory.usage_in_bytes", "memory.current"},
    {"peak", "memory.max_usage_in_bytes", "memory.peak"},
    {"max", "memory.limit_in_bytes", "memory.max"},
    {"high", "", "memory.high"},
    {"low", "", "memory.low"},
    {"soft_limit", "memory.soft_limit_in_bytes", ""},
    {"swap_current", "", "memory.swap.current"},
    {"swap_max", "", "memory.swap.max"},
    {"memory_and_swap_current", "memory.memsw.usage_in_bytes", ""},
    {"memory_and_swap_max", "memory.memsw.limit_in_bytes", ""},
}};

// Version 1's fields that start with total_ count the group and everything below it, as version 2 always
// does.
constexpr std::array<Field, 14> kStatV1 = {{
    {"total_rss", "anon", "B", 1},
    {"total_cache", "file", "B", 1},
    {"total_shmem", "shmem", "B", 1},
    {"total_mapped_file", "file_mapped", "B", 1},
    {"total_dirty", "file_dirty", "B", 1},
    {"total_writeback", "file_writeback", "B", 1},
    {"total_rss_huge", "anon_thp", "B", 1},
    {"total_swap", "swap", "B", 1},
    {"total_inactive_anon", "inactive_anon", "B", 1},
    {"total_active_anon", "active_anon", "B", 1},
    {"total_inactive_file", "inactive_file", "B", 1},
    {"total_active_file", "active_file", "B", 1},
    {"total_unevictable", "unevictable", "B", 1},
    {"total_pgmajfault", "pgmajfault", "1", 1},
}};

constexpr std::array<Field, 21> kStatV2 = {{
    {"anon", "anon", "B", 1},
    {"file", "file", "B", 1},
    {"shmem", "shmem", "B", 1},
    {"file_mapped", "file_mapped", "B", 1},
    {"file_dirty", "file_dirty", "B", 1},
    {"file_writeback", "file_writeback", "B", 1},
    {"anon_thp", "anon_thp", "B", 1},
    {"swapcached", "swapcached", "B", 1},
    {"inactive_anon", "inactive_anon", "B", 1},
    {"active_anon", "active_anon", "B", 1},
    {"inactive_file", "inactive_file", "B", 1},
    {"active_file", "active_file", "B", 1},
    {"unevictable", "unevictable", "B", 1},
    {"kernel", "kernel", "B", 1},
    {"kernel_stack", "kernel_stack", "B", 1},
    {"pagetables", "pagetables", "B", 1},
    {"percpu", "percpu", "B", 1},
    {"sock", "sock", "B", 1},
    {"slab_reclaimable", "slab_reclaimable", "B", 1},
    {"slab_unreclaimable", "slab_unreclaimable", "B", 1},
    {"pgmajfault", "pgmajfault", "1", 1},
}};

constexpr std::array<Field, 5> kEventsV2 = {{
    {"low", "low", "1", 1},
    {"high", "high", "1", 1},
    {"max", "max", "1", 1},
    {"oom", "oom", "1", 1},
    {"oom_kill", "oom_kill", "1", 1},
}};

constexpr std::array<Field, 2> kOomControlV1 = {{
    {"under_oom", "oom", "1", 1},
    {"oom_kill", "oom_kill", "1", 1},
}};

/// Version 1 writes "no limit" as the page counter's largest value, PAGE_COUNTER_MAX pages: LONG_MAX rounded
/// down to a page.
bool is_unlimited_v1(double bytes) {
  return bytes >= 0x7fff'ffff'0000'0000p0;
}

std::optional<double> limit_or_count(std::string_view content) {
  if (content.starts_with("max")) return kInfinity;
  const auto number = leading_number(content);
  return number && is_unlimited_v1(*number) ? std::optional(kInfinity) : number;
}

}  // namespace

Cgroup::Cgroup(const std::filesystem::path& directory, CgroupVersion version, int level)
    : name_(level == 0 ? "cgroup" : fmt::format("cgroup^{}", level)) {
  const bool v2 = version == CgroupVersion::v2;
  for (const ScalarFile& scalar : kScalars) {
    const std::string_view file = v2 ? scalar.v2 : scalar.v1;
    if (file.empty()) continue;
    scalars_.push_back({fmt::format("{}.{}", name_, scalar.name), KernelFile(directory / file)});
  }
  const std::string stat = name_ + ".stat", events = name_ + ".events";
  if (v2) {
    tables_.push_back({stat, kStatV2, KernelFile(directory / "memory.stat")});
    tables_.push_back({events, kEventsV2, KernelFile(directory / "memory.events")});
  } else {
    scalars_.push_back({name_ + ".events.max", KernelFile(directory / "memory.failcnt")});
    scalars_.push_back({name_ + ".kernel", KernelFile(directory / "memory.kmem.usage_in_bytes")});
    tables_.push_back({stat, kStatV1, KernelFile(directory / "memory.stat")});
    tables_.push_back({events, kOomControlV1, KernelFile(directory / "memory.oom_control")});
  }
}

void Cgroup::read(std::vector<Reading>& out) {
  for (Scalar& scalar : scalars_) {
    std::string_view content;
    const Answer answer = scalar.file.read(content);
    const auto value = limit_or_count(content);
    const bool count = scalar.name.ends_with("events.max");
    out.push_back(make_reading(scalar.name, count ? "1" : "B",
                               answer != Answer::value ? answer
                               : value                 ? Answer::value
                                                       : Answer::absent,
                               value.value_or(0)));
  }
  for (Table& table : tables_) read_fields(table.file, table.fields, table.prefix, 0, out);
}

double smallest_cgroup_limit(const CgroupLocation& location) {
  double smallest = kInfinity;
  for (const std::filesystem::path& level : location.levels) {
    const char* const file = location.version == CgroupVersion::v2 ? "memory.max" : "memory.limit_in_bytes";
    const auto text = read_text(level / file);
    if (!text) continue;
    if (const auto limit = limit_or_count(*text)) smallest = std::min(smallest, *limit);
  }
  return smallest;
}

}  // namespace sparkmpi::ledger
