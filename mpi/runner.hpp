#pragma once
// Takes a plan through barrier → ledgers → sampler → run → gather → commit, one point after the other.

#include <filesystem>

#include "kernels/plan.hpp"
#include "mpi/binding.hpp"
#include "mpi/cache_control.hpp"
#include "mpi/progress.hpp"
#include "mpi/world.hpp"
#include "results/record.hpp"

namespace sparkmpi::mpi {

struct RunOptions {
  std::filesystem::path output;
  bool force = false;
  BindingOptions binding;
  CacheOptions cache;
  double sample_rate_hz = 10;
  WatchdogOptions watchdog;
  Verbosity verbosity = Verbosity::normal;
};

/// What became of a run: the same on every rank.
struct RunOutcome {
  int points_done = 0;
  int points_failed = 0;
  int signal = 0;  ///< that ended it, 0: none
};

/// Collective. @param run the run's facts (command line, version); the runner adds those that it knows. A
/// kernel that fails on some rank is committed as incomplete and the next one runs. Throws UsageError before
/// anything is measured when any point's parameters can't work on any rank, or the output can't be written;
/// Error when a commit fails.
RunOutcome run_plan(World& world, const kernels::Plan& plan, const RunOptions& options, results::RunInfo run);

}  // namespace sparkmpi::mpi
