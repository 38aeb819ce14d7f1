#pragma once
// `sparkmpi [run] [KERNEL...] [options]`.

#include <string>
#include <vector>

#include "base/attributes.hpp"
#include "kernels/plan.hpp"
#include "mpi/runner.hpp"

namespace sparkmpi::cli {

/// What the arguments after `run` come to.
struct RunRequest {
  kernels::Plan plan;
  mpi::RunOptions options;
  Attributes labels;  ///< facts that the caller adds to the result's
  bool dry_run = false;
  std::string help;  ///< not empty: print this and do nothing else
};

/// Throws UsageError.
RunRequest parse_run(const std::vector<std::string>& arguments);

/// Starts MPI, runs, prints the summary on rank 0. Returns the exit status: 0, 1 when a kernel failed, 128 +
/// signal when interrupted. @param argc, argv as main() got them.
int run_command(int& argc, char**& argv, const std::vector<std::string>& arguments);

}  // namespace sparkmpi::cli
