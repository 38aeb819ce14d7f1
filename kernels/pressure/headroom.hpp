#pragma once
// What is left before harm is done, and the rules that stop in time.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "kernels/pressure/refusal.hpp"
#include "ledger/ledger.hpp"

namespace sparkmpi::kernels::pressure {

/// What the ledgers say is left, in bytes; infinite where nothing limits, NaN where a ledger does not answer.
struct Headroom {
  double mem_available;  ///< meminfo.MemAvailable
  double cgroup;         ///< of the tightest level: limit − current + page cache that can be reclaimed
  double cgroup_limit;   ///< of the same level
  double gpu_free;       ///< cudaMemGetInfo's free
  std::string tightest;  ///< prefix of that level's readings: "cgroup", "cgroup^1"; "cgroup" without limits
};
Headroom headroom_of(std::span<const ledger::Reading> readings);

/// Where an allocator's bytes come from.
enum class Pool : std::uint8_t {
  host,        ///< the host's memory
  gpu,         ///< a GPU with memory of its own
  gpu_shared,  ///< a GPU's whose memory may be the host's too (integrated, coherent)
};

struct Rules {
  double floor = 0;                ///< MemAvailable that stays, in bytes
  bool until_killed = false;       ///< go up to the cgroup's limit
  bool bound_by_gpu_free = false;  ///< managed memory without --oversubscribe
  Pool pool = Pool::host;
  int growing = 1;  ///< ranks on this node that grow by as much at the same time
};

/// max(5 % of MemTotal, 1 GiB).
double default_floor(double mem_total);
/// What stays below a cgroup's limit without --until-killed: 5 % of it, at most the node's floor.
double cgroup_floor(double limit, const Rules& rules);

/// Why growing by `bytes` would do harm; nothing when it would not. A MemAvailable that cannot be read
/// refuses everything: without it no floor can be kept.
std::optional<Refusal> refuse_growth(double bytes, const Headroom& left, const Rules& rules);

/// Bytes that the rules would let one rank have now; 0 when nothing.
double budget(const Headroom& left, const Rules& rules);

/// Why running into the cgroup's limit is no option for this process: it has none that lies below what the
/// node can spare above its floor, or its limit would kill more than the child (memory.oom.group) or would
/// not kill at all (oom_kill_disable). Nothing when it may.
std::optional<std::string> refuse_until_killed(const ledger::FileRoot& root, double floor);

}  // namespace sparkmpi::kernels::pressure
