#include "mpi/launcher_check.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>

namespace sparkmpi::mpi {
namespace {

std::optional<int> number(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  int value = 0;
  const auto [end, status] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (status != std::errc{} || end != text->data() + text->size()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<LaunchClaim> launch_claim(const ledger::Getenv& getenv) {
  // Open MPI's mpirun; Hydra (MPICH, Intel MPI) and Slurm's PMI-2; MVAPICH.
  constexpr std::array<std::string_view, 3> kVariables = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE",
                                                          "MV2_COMM_WORLD_SIZE"};
  for (const std::string_view variable : kVariables) {
    if (const auto processes = number(getenv(variable)))
      return LaunchClaim{std::string(variable), *processes};
  }
  // A batch script sees SLURM_NTASKS as well; only a process of an srun step has a step's process id and a
  // PMI to talk to.
  const bool in_step = getenv("SLURM_STEP_ID") && getenv("SLURM_PROCID") && getenv("SLURM_STEP_NUM_TASKS");
  if (in_step && getenv("SLURM_LAUNCH_NODE_IPADDR")) {
    if (const auto tasks = number(getenv("SLURM_STEP_NUM_TASKS")))
      return LaunchClaim{"SLURM_STEP_NUM_TASKS", *tasks};
  }
  return std::nullopt;
}

std::string launcher_mismatch(const ledger::Getenv& getenv, int world_size, std::string_view mpi_library) {
  const auto claim = launch_claim(getenv);
  if (!claim || world_size != 1 || claim->processes <= 1) return {};
  return fmt::format(
      "the launcher started {} processes ({}), but MPI sees only this one: the launcher and this program's "
      "library ({}) are "
      "different MPI or PMIx installations; use the mpirun of the same installation, or under Slurm a "
      "matching "
      "'srun --mpi=…' (see 'srun --mpi=list'), and the same MPI inside and outside of a container",
      claim->processes, claim->variable, mpi_library);
}

}  // namespace sparkmpi::mpi
