#include "kernels/device/cuda_module.hpp"

#include <dlfcn.h>

#include <filesystem>

#include "base/error.hpp"

namespace sparkmpi::kernels {
namespace {

constexpr const char* kFile = "libsparkmpi_cuda.so";

/// Beside the program, or where the build and an installation put libraries; empty when it is in neither
/// place.
std::filesystem::path module_path() {
  std::error_code failed;
  const std::filesystem::path folder = std::filesystem::read_symlink("/proc/self/exe", failed).parent_path();
  for (const std::filesystem::path& path : {folder / kFile, folder.parent_path() / "lib" / kFile}) {
    if (std::filesystem::exists(path, failed)) return path;
  }
  return {};
}

}  // namespace

CudaModule::CudaModule() {
  const std::filesystem::path path = module_path();
  if (path.empty()) {
    reason_ =
        "this build has no CUDA module (configured without the CUDA toolkit, or libsparkmpi_cuda.so was not "
        "copied along)";
    return;
  }
  handle_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle_ == nullptr) {
    reason_ = std::string("the CUDA module does not load: ") + dlerror();
    return;
  }
  using Entry = const CudaModuleApi* (*)();
  const auto entry = reinterpret_cast<Entry>(dlsym(handle_, "sparkmpi_cuda_module"));
  const CudaModuleApi* const api = entry == nullptr ? nullptr : entry();
  if (api == nullptr || api->interface_digest != SPARKMPI_CUDA_INTERFACE) {
    reason_ = path.string() + " is of another build than this program";
    return;
  }
  api_ = api;
  reason_ = api_->enumerate(devices_);
  if (reason_.empty() && devices_.empty()) reason_ = "CUDA works and shows no GPU (CUDA_VISIBLE_DEVICES?)";
}

CudaModule::~CudaModule() {
  if (handle_ != nullptr) dlclose(handle_);
}

CudaModule::Memory CudaModule::memory(int ordinal) const {
  Memory memory{};
  const std::string problem = api_ == nullptr ? reason_ : api_->memory(ordinal, memory.free, memory.total);
  if (!problem.empty()) throw Error("cuda:" + std::to_string(ordinal) + ": " + problem);
  return memory;
}

MemoryModel memory_model(const MemoryAttributes& attributes) {
  if (attributes.integrated) return MemoryModel::integrated;
  if (attributes.pageable_access)
    return attributes.host_page_tables ? MemoryModel::coherent : MemoryModel::hmm;
  return attributes.concurrent_managed ? MemoryModel::managed : MemoryModel::discrete_limited;
}

}  // namespace sparkmpi::kernels
