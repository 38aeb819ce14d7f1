#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>

#include "kernels/device/cuda/check.hpp"
#include "kernels/gemm/cuda/matrices.hpp"
#include "kernels/gemm/verification.hpp"

namespace sparkmpi::kernels::gemm {
namespace {

constexpr int kThreads = 256;
constexpr int kBlocks = 2048;

/// How a format is stored, and what its values count.
template <NumberFormat format>
struct Stored;
template <>
struct Stored<NumberFormat::fp32> {
  using Type = float;
  using Output = float;
  __device__ static float round(float value) { return value; }
  static constexpr double kUnit = 1;
};
template <>
struct Stored<NumberFormat::tf32> {
  using Type = float;
  using Output = float;
  // Rounded here, so that it does not matter whether the matrix units round or cut.
  __device__ static float round(float value) {
    std::uint32_t bits = 0;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(value));
    return __uint_as_float(bits & 0xffffe000U);
  }
  static constexpr double kUnit = 1;
};
template <>
struct Stored<NumberFormat::bf16> {
  using Type = __nv_bfloat16;
  using Output = __nv_bfloat16;
  __device__ static Type round(float value) { return __float2bfloat16(value); }
  static constexpr double kUnit = 1;
};
template <>
struct Stored<NumberFormat::fp16> {
  using Type = __half;
  using Output = __half;
  __device__ static Type round(float value) { return __float2half(value); }
  static constexpr double kUnit = 1;
};
template <>
struct Stored<NumberFormat::fp8_e4m3> {
  using Type = __nv_fp8_e4m3;
  using Output = __nv_bfloat16;
  __device__ static Type round(float value) { return Type(value * kFp8Factor); }
  static constexpr double kUnit = 1.0 / kFp8Factor;
};

template <class T>
__device__ double number(T value) {
  return static_cast<double>(static_cast<float>(value));
}

/// Box and Muller's method on the two halves of a mixed index.
__device__ float normal(std::uint64_t bits) {
  const float radius = (static_cast<float>(bits >> 40U) + 0.5F) * 0x1p-24F;
  const float angle = static_cast<float>(bits & 0xffffffU) * 0x1p-23F;
  const float value = sqrtf(-2 * __logf(radius)) * cospif(angle);
  return copysignf(fmaxf(fabsf(value), 0x1p-8F), value);
}

template <NumberFormat format>
__global__ void fill(typename Stored<format>::Type* matrix, std::size_t count, std::uint64_t seed) {
  const std::size_t step = static_cast<std::size_t>(gridDim.x) * blockDim.x;
  for (std::size_t i = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step)
    matrix[i] = Stored<format>::round(normal(mixed(i + (seed << 48U))));
}

/// sums[l] = Σ w[j, l]·r[j], a thread for each l; j's in parts, one for each blockIdx.y.
template <NumberFormat format>
__global__ void sum_columns(const typename Stored<format>::Type* w, std::int64_t m, std::int64_t k,
                            double* sums) {
  const std::int64_t l = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (l >= k) return;
  double sum = 0;
  for (std::int64_t j = blockIdx.y; j < m; j += gridDim.y) sum += sign_of(j) * number(w[j * k + l]);
  atomicAdd(sums + l, sum * Stored<format>::kUnit);
}

/// Adds up over a block; the result is thread 0's.
__device__ double block_sum(double value) {
  __shared__ double warps[kThreads / 32];
  for (int step = 16; step > 0; step /= 2) value += __shfl_down_sync(0xffffffffU, value, step);
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = value;
  __syncthreads();
  double total = 0;
  if (threadIdx.x == 0) {
    for (const double warp : warps) total += warp;
  }
  __syncthreads();
  return total;
}

/// A block for each row.
template <NumberFormat format>
__global__ void sum_rows(const typename Stored<format>::Type* x, const typename Stored<format>::Output* y,
                         std::int64_t m, std::int64_t k, const double* sums, RowSum* rows) {
  const std::int64_t row = blockIdx.x;
  double found = 0, wanted = 0;
  for (std::int64_t j = threadIdx.x; j < m; j += kThreads) found += sign_of(j) * number(y[row * m + j]);
  for (std::int64_t l = threadIdx.x; l < k; l += kThreads) wanted += sums[l] * number(x[row * k + l]);
  found = block_sum(found);
  wanted = block_sum(wanted) * Stored<format>::kUnit;
  if (threadIdx.x == 0) rows[row] = {found, wanted};
}

/// A block for each sample.
template <NumberFormat format>
__global__ void sample(const typename Stored<format>::Type* w, const typename Stored<format>::Type* x,
                       const typename Stored<format>::Output* y, Shape shape, Sample* samples) {
  const std::int64_t row = sampled_row(static_cast<int>(blockIdx.x), shape.n);
  const std::int64_t column = sampled_column(static_cast<int>(blockIdx.x), shape.m);
  constexpr double kUnit = Stored<format>::kUnit * Stored<format>::kUnit;
  double sum = 0, squares = 0;
  for (std::int64_t l = threadIdx.x; l < shape.k; l += kThreads) {
    const double term = number(x[row * shape.k + l]) * number(w[column * shape.k + l]) * kUnit;
    sum += term;
    squares += term * term;
  }
  sum = block_sum(sum);
  squares = block_sum(squares);
  if (threadIdx.x == 0)
    samples[blockIdx.x] = {row, column, number(y[row * shape.m + column]), sum, sqrt(squares)};
}

/// Calls body.operator()<format>() for the format that is only known at run time.
template <class Body>
void with_format(NumberFormat format, const Body& body) {
  switch (format) {
    case NumberFormat::fp32:
      return body.template operator()<NumberFormat::fp32>();
    case NumberFormat::tf32:
      return body.template operator()<NumberFormat::tf32>();
    case NumberFormat::bf16:
      return body.template operator()<NumberFormat::bf16>();
    case NumberFormat::fp16:
      return body.template operator()<NumberFormat::fp16>();
    case NumberFormat::fp8_e4m3:
      return body.template operator()<NumberFormat::fp8_e4m3>();
  }
}

}  // namespace

void launch_fill(void* matrix, NumberFormat format, std::size_t count, std::uint64_t seed,
                 cudaStream_t stream) {
  with_format(format, [&]<NumberFormat f>() {
    fill<f><<<kBlocks, kThreads, 0, stream>>>(static_cast<typename Stored<f>::Type*>(matrix), count, seed);
  });
  cuda::check_launch("gemm: fill");
}

void launch_row_sums(const Matrices& matrices, double* column_sums, RowSum* rows, cudaStream_t stream) {
  const auto [m, n, k] = matrices.shape;
  cuda::check(cudaMemsetAsync(column_sums, 0, static_cast<std::size_t>(k) * sizeof(double), stream),
              "cudaMemsetAsync");
  with_format(matrices.format, [&]<NumberFormat f>() {
    using Type = typename Stored<f>::Type;
    const dim3 grid(static_cast<unsigned>((k + kThreads - 1) / kThreads), 64);
    sum_columns<f><<<grid, kThreads, 0, stream>>>(static_cast<const Type*>(matrices.w), m, k, column_sums);
    sum_rows<f><<<static_cast<unsigned>(n), kThreads, 0, stream>>>(
        static_cast<const Type*>(matrices.x), static_cast<const typename Stored<f>::Output*>(matrices.y), m,
        k, column_sums, rows);
  });
  cuda::check_launch("gemm: row sums");
}

void launch_samples(const Matrices& matrices, Sample* samples, cudaStream_t stream) {
  with_format(matrices.format, [&]<NumberFormat f>() {
    using Type = typename Stored<f>::Type;
    sample<f><<<kSamples, kThreads, 0, stream>>>(
        static_cast<const Type*>(matrices.w), static_cast<const Type*>(matrices.x),
        static_cast<const typename Stored<f>::Output*>(matrices.y), matrices.shape, samples);
  });
  cuda::check_launch("gemm: samples");
}

}  // namespace sparkmpi::kernels::gemm
