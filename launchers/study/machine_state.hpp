#pragma once
// The state that a trial starts from: waited for until it is verified, never for a time.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "launchers/study/plan.hpp"

namespace sparkmpi::launchers::study {

struct MachineState {
  std::vector<double> gpu_temperatures_c;  ///< empty: no GPU, or nvidia-smi does not say
  std::optional<double> memory_available;  ///< bytes
  std::optional<double> page_cache;        ///< bytes of Cached without Shmem
  std::optional<double> cached_share;      ///< of the plan's files, 0 to 1
};

/// Temperatures by `nvidia-smi`, memory by /proc/meminfo, files by mincore(2).
MachineState read_state(const StudyPlan& plan);

/// What is still missing, in words; empty when a trial may start.
std::string missing_in(const MachineState& state, const StudyPlan& plan);

/// The numbers that `nvidia-smi --query-gpu=temperature.gpu --format=csv,noheader,nounits` prints.
std::vector<double> parse_temperatures(const std::string& text);

struct Wait {
  MachineState state;
  double waited_s = 0;
  bool interrupted = false;  ///< before the state was reached
};

/// Puts the files in or out of the page cache as the plan says, then waits for the state.
/// @param interrupted asked every 0.2 s. @param waiting told every few seconds what is missing.
/// Throws Error when the plan's time is over, saying what did not come about.
Wait reach_state(const StudyPlan& plan, const std::function<bool()>& interrupted,
                 const std::function<void(const std::string&)>& waiting);

}  // namespace sparkmpi::launchers::study
