// The least that a program on so many ranks does: what of a launch's time is mpirun's and MPI's
// (scaling_host.py).

#include <mpi.h>

int main(int argc, char** argv) {
  const bool fine = MPI_Init(&argc, &argv) == MPI_SUCCESS && MPI_Barrier(MPI_COMM_WORLD) == MPI_SUCCESS &&
                    MPI_Finalize() == MPI_SUCCESS;
  return fine ? 0 : 1;
}
