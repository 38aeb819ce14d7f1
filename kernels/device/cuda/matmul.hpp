#pragma once
// Matrix products by cuBLASLt, prepared once and run often.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/device/cuda/cublaslt.hpp"
#include "kernels/device/cuda/memory.hpp"

namespace sparkmpi::kernels::cuda {

/// A handle and a workspace of the current device. Plans that share one must run on one stream.
class MatmulLibrary {
 public:
  static constexpr std::size_t kWorkspaceBytes = std::size_t{64} << 20;

  /// Throws Error when the library is missing or there is no memory.
  MatmulLibrary();
  ~MatmulLibrary();
  MatmulLibrary(const MatmulLibrary&) = delete;             ///< owns a handle
  MatmulLibrary& operator=(const MatmulLibrary&) = delete;  ///< owns a handle

  const CublasLt& functions() const { return functions_; }
  cublasLtHandle_t handle() const { return handle_; }
  void* workspace() const { return workspace_.as<void>(); }

 private:
  CublasLt functions_;
  cublasLtHandle_t handle_ = nullptr;
  DeviceMemory workspace_;
};

/// y[n, m] = x[n, k] · w[m, k]ᵀ, rows one after another.
struct MatmulProblem {
  std::int64_t m, n, k;
  std::int64_t y_stride = 0;            ///< elements from row to row of y; 0: m
  cudaDataType_t input = CUDA_R_16BF;   ///< of w and x
  cudaDataType_t output = CUDA_R_16BF;  ///< of y
  cublasComputeType_t compute = CUBLAS_COMPUTE_32F;
  const float* w_scale = nullptr;  ///< on the device; FP8 only: factor of all of w, and …
  const float* x_scale = nullptr;  ///< … of all of x
  bool fast_accumulation = false;  ///< FP8 only: sums kept less exactly, faster
};

class Matmul {
 public:
  /// Asks the library's heuristic for algorithms; sums across blocks stay in the compute type. The first
  /// guess is in use until choose_fastest(). Throws Error when there is none.
  Matmul(std::shared_ptr<const MatmulLibrary> library, const MatmulProblem& problem);
  ~Matmul();
  Matmul(const Matmul&) = delete;             ///< owns descriptors
  Matmul& operator=(const Matmul&) = delete;  ///< owns descriptors

  /// Queues y = product + beta · y. Pointers are aligned to 16 bytes, w, x and y as the problem says.
  void run(const void* w, const void* x, void* y, cudaStream_t stream, float beta = 0) const;

  /// Keeps the fastest of the algorithms offered.
  /// @param seconds_of times what it is given, once warm.
  void choose_fastest(const void* w, const void* x, void* y, cudaStream_t stream,
                      const std::function<double(const std::function<void()>&)>& seconds_of);

  std::size_t candidates() const { return candidates_.size(); }
  /// Of the one in use: "66 (candidate 3 of 8: tile 20, stages 36, split 1)", in cuBLASLt's own numbers.
  std::string algorithm() const;

 private:
  void ask_heuristic();

  std::shared_ptr<const MatmulLibrary> library_;
  cublasLtMatmulDesc_t desc_ = nullptr;
  cublasLtMatrixLayout_t w_ = nullptr, x_ = nullptr, y_ = nullptr;
  std::vector<cublasLtMatmulHeuristicResult_t> candidates_;
  std::size_t chosen_ = 0;
};

}  // namespace sparkmpi::kernels::cuda
