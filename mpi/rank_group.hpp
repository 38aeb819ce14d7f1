#pragma once
// Neighbouring ranks as a group that adds up vectors.

#include <mpi.h>

#include <memory>

#include "kernels/communicator.hpp"

namespace sparkmpi::mpi {

/// Collective over `world`: ranks [k·size, (k+1)·size) become group k. Throws UsageError when `size` does not
/// divide the number of ranks.
///
/// A member whose group is destroyed while an exception unwinds tells the others, who would otherwise wait
/// for it for ever: their next or present call throws PeerFailure.
std::unique_ptr<kernels::Group> make_rank_group(MPI_Comm world, int size);

}  // namespace sparkmpi::mpi
