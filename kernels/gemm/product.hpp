#pragma once
// One matrix product as every device computes it for `gemm`.

#include <cstdint>
#include <memory>
#include <string>

#include "base/attributes.hpp"
#include "kernels/device/cuda_module.hpp"
#include "kernels/device/number_format.hpp"
#include "kernels/gemm/verification.hpp"
#include "kernels/timing/sample_clock.hpp"

namespace sparkmpi::kernels::gemm {

/// y[n, m] = x[n, k] · w[m, k]ᵀ, rows one after another: a linear layer of m outputs on n tokens of k inputs.
/// 2·m·n·k operations.
struct Shape {
  std::int64_t m, n, k;
  double flops() const {
    return 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  }
};

/// "8192" for a square, "28672x2048x4096" for m x n x k. Throws UsageError.
Shape parse_shape(const std::string& text);

/// w and x hold normally distributed values, rounded to the format, none of them zero: matrix units draw less
/// power, and run faster, on zeros.
class Product {
 public:
  virtual ~Product() = default;
  /// Computes y: on the host at once, on a GPU queued on the clock's stream.
  virtual void run() = 0;
  /// The device's clock; null for the host's.
  virtual timing::SampleClock* clock() = 0;
  /// What verification needs of the y computed last. Waits.
  virtual Evidence evidence() = 0;
  /// "library", "algorithm", …
  virtual Attributes facts() const = 0;
};

/// What `gemm` asks of the CUDA module.
struct CudaGemm {
  static constexpr std::string_view kInterface = "gemm";
  /// Empty when this GPU multiplies the format and cuBLASLt is there, otherwise why not.
  std::string (*refusal)(int ordinal, NumberFormat format) = nullptr;
  /// Tries the algorithms that cuBLASLt's heuristic offers and keeps the fastest. Throws Error when there is
  /// no memory or no algorithm.
  std::unique_ptr<Product> (*make)(int ordinal, NumberFormat format, const Shape& shape) = nullptr;
};

}  // namespace sparkmpi::kernels::gemm
