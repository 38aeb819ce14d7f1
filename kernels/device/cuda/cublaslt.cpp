#include "kernels/device/cuda/cublaslt.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <array>

#include "base/error.hpp"

namespace sparkmpi::kernels::cuda {
namespace {

// In the order of the toolkit that this was built with, then the other; the interface used is the same in
// both.
constexpr std::array kFiles = {"libcublasLt.so.13", "libcublasLt.so.12",
                               "/usr/local/cuda/lib64/libcublasLt.so.13",
                               "/usr/local/cuda/lib64/libcublasLt.so.12"};

template <class Function>
void bind(void* library, const std::string& file, const char* symbol, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, symbol));
  if (function == nullptr) throw Error(fmt::format("{} has no {}; cuBLAS 12 or 13 is needed", file, symbol));
}

}  // namespace

CublasLt::CublasLt() {
  void* library = nullptr;
  for (const char* const file : kFiles) {
    library = dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    file_ = file;
    if (library != nullptr) break;
  }
  if (library == nullptr)
    throw Error(
        "cuBLASLt is not here: neither libcublasLt.so.13 nor .12 can be loaded; install the CUDA toolkit's "
        "libcublas or name its folder in LD_LIBRARY_PATH");
  bind(library, file_, "cublasLtCreate", create);
  bind(library, file_, "cublasLtDestroy", destroy);
  bind(library, file_, "cublasLtGetVersion", version);
  bind(library, file_, "cublasLtGetStatusString", status_string);
  bind(library, file_, "cublasLtMatmulDescCreate", desc_create);
  bind(library, file_, "cublasLtMatmulDescDestroy", desc_destroy);
  bind(library, file_, "cublasLtMatmulDescSetAttribute", desc_set);
  bind(library, file_, "cublasLtMatrixLayoutCreate", layout_create);
  bind(library, file_, "cublasLtMatrixLayoutDestroy", layout_destroy);
  bind(library, file_, "cublasLtMatmulPreferenceCreate", preference_create);
  bind(library, file_, "cublasLtMatmulPreferenceDestroy", preference_destroy);
  bind(library, file_, "cublasLtMatmulPreferenceSetAttribute", preference_set);
  bind(library, file_, "cublasLtMatmulAlgoGetHeuristic", heuristic);
  bind(library, file_, "cublasLtMatmulAlgoConfigGetAttribute", algo_get);
  bind(library, file_, "cublasLtMatmul", matmul);
}

void CublasLt::check(cublasStatus_t status, std::string_view call) const {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw Error(fmt::format("{}: {}", call, status_string(status)));
}

std::string CublasLt::name() const {
  const std::size_t number = version();  // 130002 is 13.0.2
  return fmt::format("cuBLASLt {}.{}.{} ({})", number / 10000, number / 100 % 100, number % 100, file_);
}

}  // namespace sparkmpi::kernels::cuda
