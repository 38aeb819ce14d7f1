#pragma once
// `sparkmpi slurm PLAN | -- ARGS`.

#include <string>
#include <vector>

namespace sparkmpi::cli {

/// Prints a job's script; returns sbatch's exit status with --submit.
int slurm_command(const std::vector<std::string>& arguments);

}  // namespace sparkmpi::cli
