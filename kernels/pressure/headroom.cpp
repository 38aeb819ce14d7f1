#include "kernels/pressure/headroom.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/bytes.hpp"
#include "ledger/cgroup_location.hpp"
#include "ledger/field_file.hpp"

namespace sparkmpi::kernels::pressure {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNoValue = std::numeric_limits<double>::quiet_NaN();
constexpr double kFloorShare = 0.05;
constexpr double kSmallestFloor = 1024.0 * 1024 * 1024;

double value_of(std::span<const ledger::Reading> readings, std::string_view name) {
  const auto found = std::ranges::find(readings, name, &ledger::Reading::name);
  return found == readings.end() || found->answer != ledger::Answer::value ? kNoValue : found->value;
}

double or_zero(double value) {
  return std::isnan(value) ? 0 : value;
}

/// Whether this allocator's bytes lessen MemAvailable.
bool takes_host_memory(const Rules& rules) {
  return rules.pool != Pool::gpu;
}

}  // namespace

Headroom headroom_of(std::span<const ledger::Reading> readings) {
  Headroom left{value_of(readings, "meminfo.MemAvailable"), kInfinity, kInfinity,
                value_of(readings, "cuda.free"), "cgroup"};
  for (const ledger::Reading& reading : readings) {
    const std::string_view name = reading.name;
    if (!name.starts_with("cgroup") || !name.ends_with(".max") || name.ends_with(".events.max")) continue;
    const std::string level(name.substr(0, name.find('.')));
    if (name != level + ".max" || reading.answer != ledger::Answer::value || !std::isfinite(reading.value))
      continue;
    const double reclaimable = or_zero(value_of(readings, level + ".stat.inactive_file")) +
                               or_zero(value_of(readings, level + ".stat.active_file"));
    const double room = reading.value - or_zero(value_of(readings, level + ".current")) + reclaimable;
    if (room >= left.cgroup) continue;
    left.cgroup = room;
    left.cgroup_limit = reading.value;
    left.tightest = level;
  }
  return left;
}

double default_floor(double mem_total) {
  return std::max(kFloorShare * mem_total, kSmallestFloor);
}

double cgroup_floor(double limit, const Rules& rules) {
  return rules.until_killed || std::isinf(limit) ? 0 : std::min(kFloorShare * limit, rules.floor);
}

std::optional<Refusal> refuse_growth(double bytes, const Headroom& left, const Rules& rules) {
  const double taken = takes_host_memory(rules) ? bytes * rules.growing : 0;
  // Negated, so that NaN refuses.
  if (!(left.mem_available - taken >= rules.floor)) {
    return Refusal{Cause::floor,
                   std::isnan(left.mem_available)
                       ? "MemAvailable cannot be read, so no floor can be kept"
                       : fmt::format("MemAvailable is {}, and {} of it must stay (--floor)",
                                     format_bytes(left.mem_available), format_bytes(rules.floor))};
  }
  const double kept = cgroup_floor(left.cgroup_limit, rules);
  if (!rules.until_killed && left.cgroup - taken < kept) {
    return Refusal{Cause::cgroup_floor,
                   fmt::format("{} are left to the cgroup's limit of {}, and {} of them must stay "
                               "(--until-killed goes on)",
                               format_bytes(std::max(0.0, left.cgroup)), format_bytes(left.cgroup_limit),
                               format_bytes(kept))};
  }
  if (rules.bound_by_gpu_free && !(left.gpu_free >= bytes)) {
    return Refusal{Cause::gpu_free, fmt::format("{} are free on the GPU (--oversubscribe goes on)",
                                                format_bytes(or_zero(left.gpu_free)))};
  }
  return std::nullopt;
}

double budget(const Headroom& left, const Rules& rules) {
  double room = kInfinity;
  if (takes_host_memory(rules)) {
    room = std::min(or_zero(left.mem_available) - rules.floor,
                    left.cgroup - cgroup_floor(left.cgroup_limit, rules)) /
           rules.growing;
  }
  if (rules.pool == Pool::gpu || rules.bound_by_gpu_free) room = std::min(room, or_zero(left.gpu_free));
  return std::max(0.0, room);
}

std::optional<std::string> refuse_until_killed(const ledger::FileRoot& root, double floor) {
  ledger::LedgerSet ledgers = ledger::standard_ledgers(root);
  const Headroom left = headroom_of(ledgers.read(true));
  if (std::isinf(left.cgroup_limit))
    return "no memory cgroup limits this process; start it in one (systemd-run --scope -p MemoryMax=1G, "
           "podman run -m 1g)";
  if (!(left.cgroup + floor <= left.mem_available))
    return fmt::format(
        "the cgroup's limit of {} lies above what the node can spare ({} available, {} must stay)",
        format_bytes(left.cgroup_limit), format_bytes(or_zero(left.mem_available)), format_bytes(floor));
  const auto levels = ledger::locate_memory_cgroup(root).levels;
  for (std::size_t number = 0; number < levels.size(); ++number) {
    const std::filesystem::path& level = levels[number];
    if (ledger::first_line(level / "memory.oom.group") == "1")
      return fmt::format("{} is 1: the kernel would kill this process with its child",
                         (level / "memory.oom.group").string());
    if (ledger::first_line(level / "memory.oom_control") == "oom_kill_disable 1")
      return fmt::format("{} says oom_kill_disable 1: at the limit all would hang",
                         (level / "memory.oom_control").string());
    // What stands above the level that runs out has no say in who is killed.
    if (left.tightest == (number == 0 ? "cgroup" : fmt::format("cgroup^{}", number))) break;
  }
  return std::nullopt;
}

}  // namespace sparkmpi::kernels::pressure
