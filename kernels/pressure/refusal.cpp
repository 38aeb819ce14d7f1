#include "kernels/pressure/refusal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <utility>

namespace sparkmpi::kernels::pressure {
namespace {

constexpr std::array<std::pair<Cause, std::string_view>, 10> kNames = {{
    {Cause::return_code, "return_code"},
    {Cause::oom_kill, "oom_kill"},
    {Cause::killed, "killed"},
    {Cause::cgroup_high, "cgroup_high"},
    {Cause::cgroup_max, "cgroup_max"},
    {Cause::patience, "patience"},
    {Cause::floor, "floor"},
    {Cause::cgroup_floor, "cgroup_floor"},
    {Cause::gpu_free, "gpu_free"},
    {Cause::ceiling, "ceiling"},
}};

}  // namespace

std::string_view to_string(Cause cause) {
  return std::ranges::find(kNames, cause, &std::pair<Cause, std::string_view>::first)->second;
}

std::optional<Cause> cause_of(std::string_view text) {
  const auto found = std::ranges::find(kNames, text, &std::pair<Cause, std::string_view>::second);
  return found == kNames.end() ? std::nullopt : std::optional(found->first);
}

EventCounts event_counts(std::span<const ledger::Reading> readings) {
  EventCounts counts;
  for (const ledger::Reading& reading : readings) {
    if (reading.answer != ledger::Answer::value) continue;
    const std::string_view name = reading.name;
    if (name == "vmstat.oom_kill") counts.node_oom_kill = reading.value;
    if (!name.starts_with("cgroup")) continue;
    if (name.ends_with(".events.oom_kill")) counts.cgroup_oom_kill += reading.value;
    if (name.ends_with(".events.max")) counts.cgroup_max += reading.value;
    if (name.ends_with(".events.high")) counts.cgroup_high += reading.value;
  }
  return counts;
}

Refusal classify_death(int signal, std::string_view ending, const EventCounts& before,
                       const EventCounts& after) {
  if (signal == SIGKILL && after.cgroup_oom_kill > before.cgroup_oom_kill)
    return {Cause::oom_kill, "the child was killed at the cgroup's limit (the cgroup's oom_kill rose)"};
  if (signal == SIGKILL && after.node_oom_kill > before.node_oom_kill)
    return {Cause::oom_kill,
            "the child was killed, and the node's oom_kill rose but not this cgroup's: the node is out of "
            "memory, or a limit above this cgroup's view"};
  if (signal == SIGKILL)
    return {Cause::killed,
            fmt::format("the child {}, and no oom_kill counter rose: something else killed it", ending)};
  return {Cause::killed, fmt::format("the child {}", ending)};
}

Refusal classify_stall(double patience_s, const EventCounts& before, const EventCounts& after) {
  const std::string waited = fmt::format("not granted within {:.0f} s", patience_s);
  if (after.cgroup_high > before.cgroup_high)
    return {Cause::cgroup_high, waited + ": the cgroup throttles above memory.high"};
  if (after.cgroup_max > before.cgroup_max)
    return {Cause::cgroup_max, waited + ": the cgroup reclaims at its limit"};
  return {Cause::patience, waited + "; --patience sets the time"};
}

}  // namespace sparkmpi::kernels::pressure
