#include "kernels/device/cuda/matmul.hpp"

#include <fmt/format.h>

#include <limits>

#include "base/error.hpp"

namespace sparkmpi::kernels::cuda {
namespace {

constexpr int kMostCandidates = 8;

/// Frees what one function of the library made.
template <class T>
class Guard {
 public:
  explicit Guard(cublasStatus_t (*destroy)(T)) : destroy_(destroy) {}
  ~Guard() { destroy_(value); }
  Guard(const Guard&) = delete;             ///< owns a descriptor
  Guard& operator=(const Guard&) = delete;  ///< owns a descriptor
  T value = nullptr;

 private:
  cublasStatus_t (*destroy_)(T);
};

}  // namespace

MatmulLibrary::MatmulLibrary() : workspace_(kWorkspaceBytes, "cuBLASLt's workspace") {
  functions_.check(functions_.create(&handle_), "cublasLtCreate");
}

MatmulLibrary::~MatmulLibrary() {
  functions_.destroy(handle_);
}

Matmul::Matmul(std::shared_ptr<const MatmulLibrary> library, const MatmulProblem& problem)
    : library_(std::move(library)) {
  const CublasLt& lt = library_->functions();
  lt.check(lt.desc_create(&desc_, problem.compute, CUDA_R_32F), "cublasLtMatmulDescCreate");
  const auto set = [&](cublasLtMatmulDescAttributes_t name, const auto& value) {
    lt.check(lt.desc_set(desc_, name, &value, sizeof(value)), "cublasLtMatmulDescSetAttribute");
  };
  // The library's matrices are stored by columns: y's rows are the columns of yᵀ[m, n] = wᵀᵀ · xᵀ.
  const cublasOperation_t transposed = CUBLAS_OP_T, plain = CUBLAS_OP_N;
  set(CUBLASLT_MATMUL_DESC_TRANSA, transposed);
  set(CUBLASLT_MATMUL_DESC_TRANSB, plain);
  if (problem.w_scale != nullptr) set(CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, problem.w_scale);
  if (problem.x_scale != nullptr) set(CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, problem.x_scale);
  const std::int8_t fast = problem.fast_accumulation ? 1 : 0;
  if (fast != 0) set(CUBLASLT_MATMUL_DESC_FAST_ACCUM, fast);
  const auto m = static_cast<std::uint64_t>(problem.m), n = static_cast<std::uint64_t>(problem.n),
             k = static_cast<std::uint64_t>(problem.k);
  lt.check(lt.layout_create(&w_, problem.input, k, m, problem.k), "cublasLtMatrixLayoutCreate");
  lt.check(lt.layout_create(&x_, problem.input, k, n, problem.k), "cublasLtMatrixLayoutCreate");
  lt.check(lt.layout_create(&y_, problem.output, m, n, problem.y_stride > 0 ? problem.y_stride : problem.m),
           "cublasLtMatrixLayoutCreate");
  ask_heuristic();
  if (candidates_.empty())
    throw Error(fmt::format("{} has no algorithm for a product of {} x {} x {} in this number format",
                            lt.name(), m, n, k));
}

Matmul::~Matmul() {
  const CublasLt& lt = library_->functions();
  lt.desc_destroy(desc_);
  lt.layout_destroy(w_);
  lt.layout_destroy(x_);
  lt.layout_destroy(y_);
}

void Matmul::ask_heuristic() {
  const CublasLt& lt = library_->functions();
  Guard<cublasLtMatmulPreference_t> preference(lt.preference_destroy);
  lt.check(lt.preference_create(&preference.value), "cublasLtMatmulPreferenceCreate");
  const auto set = [&](cublasLtMatmulPreferenceAttributes_t name, const auto& value) {
    lt.check(lt.preference_set(preference.value, name, &value, sizeof(value)),
             "cublasLtMatmulPreferenceSetAttribute");
  };
  const std::size_t workspace = MatmulLibrary::kWorkspaceBytes;
  set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspace);
  // Partial sums of a split product are added in the compute type, not in the output's 8 bits.
  const std::uint32_t reduction = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
  set(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, reduction);
  candidates_.resize(kMostCandidates);
  int found = 0;
  const cublasStatus_t status = lt.heuristic(library_->handle(), desc_, w_, x_, y_, y_, preference.value,
                                             kMostCandidates, candidates_.data(), &found);
  if (status != CUBLAS_STATUS_NOT_SUPPORTED) lt.check(status, "cublasLtMatmulAlgoGetHeuristic");
  candidates_.resize(static_cast<std::size_t>(found));
  std::erase_if(candidates_, [](const auto& candidate) { return candidate.state != CUBLAS_STATUS_SUCCESS; });
}

void Matmul::run(const void* w, const void* x, void* y, cudaStream_t stream, float beta) const {
  const CublasLt& lt = library_->functions();
  const float alpha = 1;
  lt.check(
      lt.matmul(library_->handle(), desc_, &alpha, w, w_, x, x_, &beta, y, y_, y, y_,
                &candidates_[chosen_].algo, library_->workspace(), MatmulLibrary::kWorkspaceBytes, stream),
      "cublasLtMatmul");
}

void Matmul::choose_fastest(const void* w, const void* x, void* y, cudaStream_t stream,
                            const std::function<double(const std::function<void()>&)>& seconds_of) {
  double best = std::numeric_limits<double>::infinity();
  std::size_t fastest = 0;
  for (chosen_ = 0; chosen_ < candidates_.size(); ++chosen_) {
    const double seconds = seconds_of([&] { run(w, x, y, stream); });
    if (seconds >= best) continue;
    best = seconds;
    fastest = chosen_;
  }
  chosen_ = fastest;
}

std::string Matmul::algorithm() const {
  const CublasLt& lt = library_->functions();
  const auto get = [&](cublasLtMatmulAlgoConfigAttributes_t name) {
    std::int32_t value = 0;
    std::size_t written = 0;
    const bool known = lt.algo_get(&candidates_[chosen_].algo, name, &value, sizeof(value), &written) ==
                       CUBLAS_STATUS_SUCCESS;
    return known ? value : -1;
  };
  return fmt::format("{} (candidate {} of {}: tile {}, stages {}, split {})", get(CUBLASLT_ALGO_CONFIG_ID),
                     chosen_ + 1, candidates_.size(), get(CUBLASLT_ALGO_CONFIG_TILE_ID),
                     get(CUBLASLT_ALGO_CONFIG_STAGES_ID), get(CUBLASLT_ALGO_CONFIG_SPLITK_NUM));
}

}  // namespace sparkmpi::kernels::cuda
