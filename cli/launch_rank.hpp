#pragma once
// Which rank the launcher says this is, for output before (or without) MPI.

namespace sparkmpi::cli {

/// True for rank 0 and where no launcher speaks: the process that prints what all would print alike.
bool speaks_for_all();

}  // namespace sparkmpi::cli
