#pragma once
// cuBLASLt, loaded when a workload needs it: the program runs where it is not installed.

#include <cublasLt.h>

#include <string>
#include <string_view>

namespace sparkmpi::kernels::cuda {

/// The functions that are used, of libcublasLt.so.13 or .12, whichever the loader finds first
/// (LD_LIBRARY_PATH, the system's paths, then /usr/local/cuda/lib64). The library stays loaded: it does not
/// take being unloaded while the runtime lives.
class CublasLt {
 public:
  /// Throws Error that says in one line what is missing and what to install.
  CublasLt();

  decltype(&cublasLtCreate) create;
  decltype(&cublasLtDestroy) destroy;
  decltype(&cublasLtGetVersion) version;
  decltype(&cublasLtGetStatusString) status_string;
  decltype(&cublasLtMatmulDescCreate) desc_create;
  decltype(&cublasLtMatmulDescDestroy) desc_destroy;
  decltype(&cublasLtMatmulDescSetAttribute) desc_set;
  decltype(&cublasLtMatrixLayoutCreate) layout_create;
  decltype(&cublasLtMatrixLayoutDestroy) layout_destroy;
  decltype(&cublasLtMatmulPreferenceCreate) preference_create;
  decltype(&cublasLtMatmulPreferenceDestroy) preference_destroy;
  decltype(&cublasLtMatmulPreferenceSetAttribute) preference_set;
  decltype(&cublasLtMatmulAlgoGetHeuristic) heuristic;
  decltype(&cublasLtMatmulAlgoConfigGetAttribute) algo_get;
  decltype(&cublasLtMatmul) matmul;

  /// Throws Error with the call and the library's words.
  void check(cublasStatus_t status, std::string_view call) const;
  /// "cuBLASLt 13.0.2 (libcublasLt.so.13)"
  std::string name() const;

 private:
  std::string file_;
};

}  // namespace sparkmpi::kernels::cuda
