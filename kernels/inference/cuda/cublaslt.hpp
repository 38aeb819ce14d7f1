#pragma once
// cuBLASLt, loaded at run time: the module itself needs nothing but the driver.

#include <cublasLt.h>

#include <string_view>

namespace sparkmpi::kernels::inference::gpu {

struct CublasLt {
  decltype(&::cublasLtCreate) create;
  decltype(&::cublasLtDestroy) destroy;
  decltype(&::cublasLtMatmulDescCreate) desc_create;
  decltype(&::cublasLtMatmulDescDestroy) desc_destroy;
  decltype(&::cublasLtMatmulDescSetAttribute) desc_set;
  decltype(&::cublasLtMatrixLayoutCreate) layout_create;
  decltype(&::cublasLtMatrixLayoutDestroy) layout_destroy;
  decltype(&::cublasLtMatmulPreferenceCreate) preference_create;
  decltype(&::cublasLtMatmulPreferenceDestroy) preference_destroy;
  decltype(&::cublasLtMatmulPreferenceSetAttribute) preference_set;
  decltype(&::cublasLtMatmulAlgoGetHeuristic) heuristic;
  decltype(&::cublasLtMatmul) matmul;
};

/// Loads it once. Throws Error that names the library and the loader's reason.
const CublasLt& cublaslt();

/// Throws Error "WHAT: cuBLASLt's status" unless the call went well.
void check(cublasStatus_t status, std::string_view what);

}  // namespace sparkmpi::kernels::inference::gpu
