#include "kernels/device/cuda/nccl.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/error.hpp"

namespace sparkmpi::kernels::cuda {
namespace {

constexpr std::array kFiles = {"libnccl.so.2", "/usr/local/cuda/lib/libnccl.so.2",
                               "/usr/local/cuda/lib64/libnccl.so.2"};

template <class Function>
void bind(void* library, const char* symbol, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, symbol));
  if (function == nullptr)
    throw Error(fmt::format("libnccl.so.2 has no {}; NCCL 2.13 or later is needed", symbol));
}

}  // namespace

Nccl::Nccl() {
  setenv("NCCL_NVLS_ENABLE", "0", 0);
  void* library = nullptr;
  for (const char* const file : kFiles) {
    library = dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (library != nullptr) break;
  }
  if (library == nullptr) {
    throw Error(
        "NCCL is not here: libnccl.so.2 can't be loaded; install libnccl2 or name its folder in "
        "LD_LIBRARY_PATH");
  }
  bind(library, "ncclGetVersion", get_version);
  bind(library, "ncclGetUniqueId", get_unique_id);
  bind(library, "ncclCommInitRank", init_rank);
  bind(library, "ncclCommDestroy", destroy);
  bind(library, "ncclCommAbort", abort);
  bind(library, "ncclCommGetAsyncError", async_error);
  bind(library, "ncclAllReduce", all_reduce);
  bind(library, "ncclGetErrorString", error_string);
  bind(library, "ncclGetLastError", last_error);
}

void Nccl::check(int result, std::string_view call) const {
  if (result == kNcclSuccess || result == kNcclInProgress) return;
  std::string words = last_error(nullptr);
  words.resize(std::min(words.find('\n'), words.size()));
  throw Error(fmt::format("{}: {}{}{}", call, error_string(result), words.empty() ? "" : ": ", words));
}

std::string Nccl::name() const {
  int number = 0;  // 22809 is 2.28.9
  check(get_version(&number), "ncclGetVersion");
  return fmt::format("NCCL {}.{}.{}", number / 10000, number / 100 % 100, number % 100);
}

}  // namespace sparkmpi::kernels::cuda
