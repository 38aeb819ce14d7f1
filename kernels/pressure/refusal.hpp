#pragma once
// By what a size was refused.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "ledger/reading.hpp"

namespace sparkmpi::kernels::pressure {

enum class Cause : std::uint8_t {
  return_code,   ///< the allocator said no: errno, or CUDA's error
  oom_kill,      ///< the kernel's OOM killer took the child, and its counter rose
  killed,        ///< the child ended otherwise: another signal, or SIGKILL that no counter explains
  cgroup_high,   ///< not done in time while the cgroup throttled above memory.high
  cgroup_max,    ///< not done in time while the cgroup reclaimed at its limit
  patience,      ///< not done in time, and no cgroup event says why
  floor,         ///< MemAvailable would fall below the node's floor
  cgroup_floor,  ///< the cgroup would come too close to its limit (never with --until-killed)
  gpu_free,      ///< managed memory would exceed what is free on the GPU (never with --oversubscribe)
  ceiling,       ///< nothing refused: --ceiling, or all that there can be, was reached
};
/// As the result file says it: "return_code".
std::string_view to_string(Cause cause);
/// The inverse; nothing for a text that is no cause.
std::optional<Cause> cause_of(std::string_view text);

struct Refusal {
  Cause cause;
  std::string text;  ///< one line for a person
};

/// Counters that tell why a process died or stalled. Absent ones count 0, so that only a rise says something.
struct EventCounts {
  double cgroup_oom_kill = 0, cgroup_max = 0, cgroup_high = 0;  ///< sums over the group and its parents
  double node_oom_kill = 0;                                     ///< of the whole machine
};
EventCounts event_counts(std::span<const ledger::Reading> readings);

/// Why a child that had been asked for a size is dead. @param signal that killed it, 0: none. @param ending
/// its end in words.
Refusal classify_death(int signal, std::string_view ending, const EventCounts& before,
                       const EventCounts& after);

/// Why a child did not answer within `patience_s`.
Refusal classify_stall(double patience_s, const EventCounts& before, const EventCounts& after);

}  // namespace sparkmpi::kernels::pressure
