#pragma once
// The GPU's loops of `stream`: what device code there is, and how it is started.

#include <cuda_runtime_api.h>

#include <cstddef>

#include "kernels/stream/operations.hpp"

namespace sparkmpi::kernels::stream {

/// The arrays of an operation; those that it lacks are null.
struct ArrayView {
  double* a;
  double* b;
  double* c;
  std::size_t elements;  ///< of each, even
};

/// As many blocks of the operation as the current device holds at once. All of the following throw Error with
/// CUDA's words and queue their work on `stream`.
int resident_blocks(Operation operation);

/// `passes` times over all elements, by a grid that stays.
/// @param sums [blocks]: for read and dot the sum of all passes, block by block.
void launch_passes(Operation operation, const ArrayView& arrays, int passes, int blocks, double* sums,
                   cudaStream_t stream);

/// array[i] = initial(which, i).
void launch_fill(double* array, int which, std::size_t elements, cudaStream_t stream);

/// *lowest = the smaller of itself and the lowest index whose element is not expected(operation, i).
void launch_find_wrong(const double* array, Operation operation, std::size_t elements,
                       unsigned long long* lowest, cudaStream_t stream);

}  // namespace sparkmpi::kernels::stream
