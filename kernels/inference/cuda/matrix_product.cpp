#include "kernels/inference/cuda/matrix_product.hpp"

#include <fmt/format.h>

#include <map>
#include <tuple>

#include "base/error.hpp"
#include "kernels/inference/cuda/cublaslt.hpp"
#include "kernels/inference/cuda/memory.hpp"

namespace sparkmpi::kernels::inference::gpu {
namespace {

// What NVIDIA's manual asks for on Hopper ("cublasSetWorkspace").
constexpr std::size_t kWorkspaceBytes = std::size_t{32} << 20;

/// One shape's descriptors and algorithm. Row-major y [vectors, rows] is column-major [rows, vectors].
class Recipe {
 public:
  Recipe(cublasLtHandle_t handle, const MatrixProduct& p) {
    const CublasLt& lt = cublaslt();
    const auto wide = [](int value) { return static_cast<std::uint64_t>(value); };
    check(lt.desc_create(&operation_, CUBLAS_COMPUTE_32F, CUDA_R_32F), "cublasLtMatmulDescCreate");
    const cublasOperation_t transposed = CUBLAS_OP_T;
    check(lt.desc_set(operation_, CUBLASLT_MATMUL_DESC_TRANSA, &transposed, sizeof transposed),
          "cublasLtMatmulDescSetAttribute");
    check(lt.layout_create(&matrix_, CUDA_R_16BF, wide(p.columns), wide(p.rows), p.columns), "cublasLtMatrixLayoutCreate");
    check(lt.layout_create(&x_, CUDA_R_16BF, wide(p.columns), wide(p.vectors), p.columns), "cublasLtMatrixLayoutCreate");
    check(lt.layout_create(&y_, p.type == ProductType::fp32 ? CUDA_R_32F : CUDA_R_16BF, wide(p.rows), wide(p.vectors),
                           p.y_stride),
          "cublasLtMatrixLayoutCreate");
    cublasLtMatmulPreference_t preference = nullptr;
    check(lt.preference_create(&preference), "cublasLtMatmulPreferenceCreate");
    const std::size_t workspace = kWorkspaceBytes;
    cublasStatus_t status =
        lt.preference_set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, sizeof workspace);
    cublasLtMatmulHeuristicResult_t result{};
    int found = 0;
    if (status == CUBLAS_STATUS_SUCCESS)
      status = lt.heuristic(handle, operation_, matrix_, x_, y_, y_, preference, 1, &result, &found);
    static_cast<void>(lt.preference_destroy(preference));
    check(status, "cublasLtMatmulAlgoGetHeuristic");
    if (found == 0)
      throw Error(fmt::format("cuBLASLt has no algorithm for [{}, {}] times {} vectors", p.rows, p.columns, p.vectors));
    algorithm_ = result.algo;
  }
  ~Recipe() {
    const CublasLt& lt = cublaslt();
    for (const cublasLtMatrixLayout_t layout : {matrix_, x_, y_}) {
      if (layout != nullptr) static_cast<void>(lt.layout_destroy(layout));
    }
    if (operation_ != nullptr) static_cast<void>(lt.desc_destroy(operation_));
  }
  Recipe(const Recipe&) = delete;             ///< owns descriptors
  Recipe& operator=(const Recipe&) = delete;  ///< owns descriptors

  void run(cublasLtHandle_t handle, const MatrixProduct& p, void* workspace, cudaStream_t stream) const {
    const float one = 1, before = p.accumulate ? 1 : 0;
    check(cublaslt().matmul(handle, operation_, &one, p.matrix, matrix_, p.x, x_, &before, p.y, y_, p.y, y_, &algorithm_,
                            workspace, kWorkspaceBytes, stream),
          "cublasLtMatmul");
  }

 private:
  cublasLtMatmulDesc_t operation_ = nullptr;
  cublasLtMatrixLayout_t matrix_ = nullptr, x_ = nullptr, y_ = nullptr;
  cublasLtMatmulAlgo_t algorithm_{};
};

}  // namespace

class MatrixProducts::State {
 public:
  State() : workspace_(kWorkspaceBytes, "cuBLASLt's workspace") { check(cublaslt().create(&handle_), "cublasLtCreate"); }
  ~State() {
    recipes_.clear();
    static_cast<void>(cublaslt().destroy(handle_));
  }
  State(const State&) = delete;             ///< owns a handle
  State& operator=(const State&) = delete;  ///< owns a handle

  void multiply(const MatrixProduct& p, cudaStream_t stream) {
    const auto key = std::tuple(p.rows, p.columns, p.vectors, p.y_stride, p.type, p.accumulate);
    auto found = recipes_.find(key);
    if (found == recipes_.end())
      found = recipes_.emplace(key, std::make_unique<Recipe>(handle_, p)).first;
    found->second->run(handle_, p, workspace_.as(), stream);
  }

 private:
  DeviceMemory workspace_;
  cublasLtHandle_t handle_ = nullptr;
  std::map<std::tuple<int, int, int, int, ProductType, bool>, std::unique_ptr<Recipe>> recipes_;
};

MatrixProducts::MatrixProducts() : state_(std::make_unique<State>()) {}
MatrixProducts::~MatrixProducts() = default;

void MatrixProducts::multiply(const MatrixProduct& product, cudaStream_t stream) {
  state_->multiply(product, stream);
}

}  // namespace sparkmpi::kernels::inference::gpu
