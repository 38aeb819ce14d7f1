#pragma once
// The device code of `gemm`: random matrices, and the sums that verification compares.

#include <cuda_runtime_api.h>

#include <cstdint>

#include "kernels/device/number_format.hpp"
#include "kernels/gemm/product.hpp"

namespace sparkmpi::kernels::gemm {

/// What FP8 matrices are multiplied by before they are stored, so that seven standard deviations reach the
/// format's largest value of 448.
inline constexpr float kFp8Factor = 64;

/// Normally distributed values, rounded to the format, none below 2^-8 in size. All functions queue their
/// work and throw Error with CUDA's words.
/// @param matrix `count` elements of the format.
void launch_fill(void* matrix, NumberFormat format, std::size_t count, std::uint64_t seed,
                 cudaStream_t stream);

struct Matrices {
  const void* w;  ///< [m, k] of `format`
  const void* x;  ///< [n, k] of `format`
  const void* y;  ///< [n, m] of the output format: BF16 for FP8, else `format`
  NumberFormat format;
  Shape shape;
};

/// @param column_sums [k] of scratch. @param rows [n] of the device.
void launch_row_sums(const Matrices& matrices, double* column_sums, RowSum* rows, cudaStream_t stream);
/// @param samples [kSamples] of the device.
void launch_samples(const Matrices& matrices, Sample* samples, cudaStream_t stream);

}  // namespace sparkmpi::kernels::gemm
