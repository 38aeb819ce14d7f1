#pragma once
// Products of weight matrices with one to eight vectors: what a decode step consists of.
//
// Activations. The residual stream is fp32. The input of a product is BF16 [vectors, columns]. RMSNorm is
// fused in two halves: who writes the residual stream also writes its BF16 product with the next norm's
// weight, and the sums of squares of each tile of 16 elements; who reads it sums those and multiplies its
// results by 1/√(mean + ε). (The norm's factor is one number a vector, so it commutes with the product; BF16
// rounding is relative, so it costs nothing.) Residual outputs do the first half.
//
// Programmatic dependent launch (sm_90 and later, Launch::programmatic): a product starts to read its weights
// into shared memory while the kernels before it still run, and waits for them (griddepcontrol.wait) before
// it touches anything else. It triggers its own dependents at once, or as soon as it has waited (launch.cuh
// says what they may read early). So weights must not be written by kernels in flight, and everything else is
// ordered as in a plain stream. The attribute may be set whatever the kernel before is.
//
// All functions are asynchronous in the launch's stream, allocate nothing and can be captured into a graph.
// They throw Error when a launch fails and UsageError for arguments out of their contract. Pointers are
// device pointers, aligned to 16 bytes; strides are in elements, multiples of 8.

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

#include "kernels/inference/cuda/linear/device_matrix.hpp"
#include "kernels/inference/cuda/linear/product_device.hpp"

namespace sparkmpi::kernels::inference::gpu {

inline constexpr int kMostVectors = 8;  ///< more go to cuBLASLt, or in several calls

struct Launch {
  cudaStream_t stream = nullptr;
  bool programmatic = false;  ///< see above; ignored below sm_90
};

/// The product's input, BF16 [vectors, stride], and the second half of its norm. With fp8_e4m3 and mxfp4
/// weights its magnitudes must be below 2^28: it is multiplied by 2^100 on the way (weight_stream.cuh).
struct VectorInput {
  const std::uint16_t* x = nullptr;
  int stride = 0;  ///< ≥ columns
  const float* squares =
      nullptr;  ///< null: not normalised; else [vectors, square_count] partial sums of x_residual²
  int square_count = 0;
  float eps = 0;
};

/// y[v, row] = W·x (+ bias), as fp32. QKV (RoPE and the append to the cache follow in a kernel of the
/// attention), router, tensor-parallel partial sums, logits.
struct StoreOutput {
  float* y = nullptr;
  int stride = 0;               ///< ≥ rows
  const float* bias = nullptr;  ///< [rows] or null
};

/// residual[v, row] += W·x (+ bias), and the first half of the next norm where next_input is given.
struct ResidualOutput {
  float* residual = nullptr;
  int stride = 0;
  const float* bias = nullptr;          ///< [rows] or null
  const float* next_norm = nullptr;     ///< [rows] fp32; a Gemma norm as 1 + w. Null with next_input null.
  std::uint16_t* next_input = nullptr;  ///< BF16 [vectors, stride]: residual·next_norm
  float* squares = nullptr;             ///< [vectors, square_count(rows)]
};
/// Partial sums a vector of a residual of this many elements: one a tile of 16.
constexpr int square_count(int elements) {
  return (elements + 15) / 16;
}

enum class Activation : std::uint8_t {
  silu,            ///< silu(gate)·up
  gelu_tanh,       ///< Gemma: GELU's tanh form
  clamped_swiglu,  ///< gpt-oss: gate ≤ 7, up in ±7; gate·σ(1.702·gate)·(up + 1)
};
/// y[v, i] = act(gate_i, up_i) as BF16 [vectors, stride], i < rows/2, for a matrix whose order is not plain.
struct GatedOutput {
  std::uint16_t* y = nullptr;
  int stride = 0;
  const float* bias = nullptr;  ///< [rows] by logical row, or null
  Activation activation = Activation::silu;
};

/// The arg-max over rows of W·x, ties to the lowest row: partial maxima in the product, the rest by
/// arg_max().
struct ArgMaxOutput {
  float* best = nullptr;        ///< [arg_max_parts, vectors]
  std::int32_t* row = nullptr;  ///< [arg_max_parts, vectors]
  float* logits = nullptr;      ///< also stored as [vectors, stride] when not null
  int stride = 0;
};

/// The products of one device, with their workspace. Launches of one object must be ordered (one stream).
class Products {
 public:
  /// For the current device; allocates a workspace of about 16 MiB on it.
  Products();
  ~Products();
  Products(const Products&) = delete;  // owns device memory
  Products& operator=(const Products&) = delete;

  /// @param vectors 1 to kMostVectors.
  void multiply(const DeviceMatrix& matrix, const VectorInput& input, int vectors, const StoreOutput& output,
                const Launch& launch) const;
  void multiply(const DeviceMatrix& matrix, const VectorInput& input, int vectors,
                const ResidualOutput& output, const Launch& launch) const;
  void multiply(const DeviceMatrix& matrix, const VectorInput& input, int vectors, const GatedOutput& output,
                const Launch& launch) const;
  void multiply(const DeviceMatrix& matrix, const VectorInput& input, int vectors, const ArgMaxOutput& output,
                const Launch& launch) const;

  /// Parts that an ArgMaxOutput needs room for on this device, whatever the matrix.
  int arg_max_parts() const;
  /// next[v] = row of the greatest of the parts.
  void arg_max(const ArgMaxOutput& parts, int vectors, std::int32_t* next, const Launch& launch) const;

 private:
  friend class ExpertProducts;
  DeviceLimits limits_;
  Workspace workspace_;
};

}  // namespace sparkmpi::kernels::inference::gpu
