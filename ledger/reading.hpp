#pragma once
// What a ledger says, kept apart from what it does not say.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sparkmpi::ledger {

/// How a source answered. "Not supported" is an answer of its own and never turns into 0.
enum class Answer : std::uint8_t {
  value,          ///< `value` holds the number
  not_supported,  ///< the source exists and says it cannot answer (an NVML call on GB10, a kernel without
                  ///< PSI)
  not_permitted,  ///< the source exists and refuses this process (EACCES, EPERM)
  absent,         ///< the source does not exist here (no such file, no such field)
};

std::string_view to_string(Answer answer);

/// One quantity of one ledger at one moment, e.g. "meminfo.MemAvailable", "cgroup.current",
/// "cgroup.stat.anon", "cgroup^1.max" (the parent group's limit), "node0.MemFree", "smaps_rollup.Pss",
/// "psi.memory.some.total". A limit of "max" (cgroup v2) or the v1 equivalent is a value of +infinity.
struct Reading {
  std::string name;
  std::string unit;  ///< "B" for bytes, "s", "1" for counts
  Answer answer = Answer::absent;
  double value = 0;  ///< NaN unless answer is Answer::value
};

/// All ledgers at one moment of a kernel's life ("before", "weights_loaded", "after", …).
struct Snapshot {
  std::string moment;
  double time_s = 0;  ///< seconds since the run's start (base/clock.hpp)
  std::vector<Reading> readings;
};

/// One quantity over time, as the sampler thread saw it. NaN where the source did not answer.
struct TimelineColumn {
  std::string name;
  std::string unit;
  std::vector<double> values;
};

/// Every column has as many values as time_s.
struct Timeline {
  std::vector<double> time_s;
  std::vector<TimelineColumn> columns;
};

}  // namespace sparkmpi::ledger
