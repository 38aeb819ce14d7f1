#include "kernels/inference/cuda/cublaslt.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include "base/error.hpp"

namespace sparkmpi::kernels::inference::gpu {
namespace {

void* open_library() {
  std::string reason;
  for (const char* const name : {"libcublasLt.so.13", "/usr/local/cuda/lib64/libcublasLt.so.13", "libcublasLt.so.12",
                                 "/usr/local/cuda/lib64/libcublasLt.so.12"}) {
    if (void* const handle = dlopen(name, RTLD_NOW | RTLD_LOCAL); handle != nullptr) return handle;
    if (reason.empty()) reason = dlerror();
  }
  throw Error(fmt::format("prefill and batches above 8 need cuBLASLt, which does not load: {}; install it, or put its "
                          "folder into LD_LIBRARY_PATH",
                          reason));
}

template <class Function>
void find(void* handle, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(handle, name));
  if (function == nullptr) throw Error(fmt::format("cuBLASLt has no {}: it is too old", name));
}

}  // namespace

const CublasLt& cublaslt() {
  static const CublasLt table = [] {
    void* const handle = open_library();
    CublasLt found{};
    find(handle, "cublasLtCreate", found.create);
    find(handle, "cublasLtDestroy", found.destroy);
    find(handle, "cublasLtMatmulDescCreate", found.desc_create);
    find(handle, "cublasLtMatmulDescDestroy", found.desc_destroy);
    find(handle, "cublasLtMatmulDescSetAttribute", found.desc_set);
    find(handle, "cublasLtMatrixLayoutCreate", found.layout_create);
    find(handle, "cublasLtMatrixLayoutDestroy", found.layout_destroy);
    find(handle, "cublasLtMatmulPreferenceCreate", found.preference_create);
    find(handle, "cublasLtMatmulPreferenceDestroy", found.preference_destroy);
    find(handle, "cublasLtMatmulPreferenceSetAttribute", found.preference_set);
    find(handle, "cublasLtMatmulAlgoGetHeuristic", found.heuristic);
    find(handle, "cublasLtMatmul", found.matmul);
    return found;
  }();
  return table;
}

void check(cublasStatus_t status, std::string_view what) {
  if (status != CUBLAS_STATUS_SUCCESS)
    throw Error(fmt::format("{}: cuBLASLt status {}", what, static_cast<int>(status)));
}

}  // namespace sparkmpi::kernels::inference::gpu
