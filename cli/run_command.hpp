#pragma once
// `sparkmpi [run] [KERNEL...] [options]`.

#include <cstdint>
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

/// @param gpu_memory_bytes of the smallest GPU, which decides about the default suite; 0 without one. Throws
/// UsageError.
RunRequest parse_run(const std::vector<std::string>& arguments, std::uint64_t gpu_memory_bytes = 0);

/// Starts MPI, runs, prints the summary on rank 0. Returns the exit status: 0, 1 when a kernel failed, 128 +
/// signal when interrupted. @param argc, argv as main() got them.
int run_command(int& argc, char**& argv, const std::vector<std::string>& arguments);

}  // namespace sparkmpi::cli
