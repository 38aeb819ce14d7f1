#pragma once
// Synthetic weights made where they are needed: the bits of synthetic.hpp, in the canonical planes of
// weight_format.hpp.

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

#include "kernels/inference/synthetic.hpp"
#include "kernels/inference/weight_format.hpp"
#include "kernels/inference/weight_source.hpp"

namespace sparkmpi::kernels::inference::gpu {

/// The planes of rows in device memory, without padding; those that the format lacks are null.
struct Planes {
  std::byte* values = nullptr;
  std::byte* scales = nullptr;
  std::byte* zeros = nullptr;
};

/// Writes a part of a matrix of `columns` columns, its bounds as WeightSource::read wants them and its
/// columns a multiple of 8. Asynchronous in `stream`. Throws Error when the launch fails.
void synthesize(const SyntheticTensor& tensor, WeightFormat format, std::size_t columns,
                const MatrixPart& part, const Planes& planes, cudaStream_t stream);

}  // namespace sparkmpi::kernels::inference::gpu
