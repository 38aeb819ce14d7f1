#pragma once
// N processes that each believe to be rank 0 of 1: the sign of two MPI or PMIx installations that don't know
// one another.

#include <optional>
#include <string>
#include <string_view>

#include "ledger/environment.hpp"

namespace sparkmpi::mpi {

/// What the launcher's environment says about how many processes it started; nothing when no launcher speaks.
struct LaunchClaim {
  std::string variable;  ///< "OMPI_COMM_WORLD_SIZE"
  int processes = 0;
};
std::optional<LaunchClaim> launch_claim(const ledger::Getenv& getenv);

/// Empty when the launcher's word and MPI's agree. Otherwise one line that explains the mixed installation.
/// @param world_size MPI_COMM_WORLD's size. @param mpi_library MPI_Get_library_version's first line.
std::string launcher_mismatch(const ledger::Getenv& getenv, int world_size, std::string_view mpi_library);

}  // namespace sparkmpi::mpi
