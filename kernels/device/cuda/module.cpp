// libsparkmpi_cuda.so: what the program asks of CUDA.

#include <cuda_runtime_api.h>

#include <array>
#include <cstdio>

#include "kernels/device/cuda_module.hpp"
#include "kernels/suite/cuda_interfaces.hpp"

namespace {

using sparkmpi::kernels::CudaModuleApi;
using sparkmpi::kernels::Device;

std::string problem_of(cudaError_t status, const char* call) {
  if (status == cudaSuccess) return {};
  return std::string(call) + ": " + cudaGetErrorString(status);
}

int attribute(int ordinal, cudaDeviceAttr name) {
  int value = 0;
  return cudaDeviceGetAttribute(&value, name, ordinal) == cudaSuccess ? value : 0;
}

/// As nvidia-smi and NVML print it: GPU-8-4-4-4-12.
std::string uuid_text(const cudaUUID_t& uuid) {
  std::string text = "GPU-";
  for (int i = 0; i < 16; ++i) {
    std::array<char, 3> two{};
    std::snprintf(two.data(), two.size(), "%02x",
                  static_cast<unsigned>(static_cast<unsigned char>(uuid.bytes[i])));
    text += two.data();
    if (i == 3 || i == 5 || i == 7 || i == 9) text += '-';
  }
  return text;
}

std::string enumerate(std::vector<Device>& devices) {
  int count = 0;
  if (std::string problem = problem_of(cudaGetDeviceCount(&count), "cudaGetDeviceCount"); !problem.empty())
    return problem;
  for (int ordinal = 0; ordinal < count; ++ordinal) {
    cudaDeviceProp properties{};
    if (std::string problem =
            problem_of(cudaGetDeviceProperties(&properties, ordinal), "cudaGetDeviceProperties");
        !problem.empty())
      return problem;
    Device device;
    device.kind = sparkmpi::kernels::DeviceKind::cuda;
    device.ordinal = ordinal;
    device.id = "cuda:" + std::to_string(ordinal);
    device.name = properties.name;
    device.uuid = uuid_text(properties.uuid);
    device.memory_bytes = properties.totalGlobalMem;
    device.memory_model = sparkmpi::kernels::memory_model(
        {attribute(ordinal, cudaDevAttrIntegrated) != 0,
         attribute(ordinal, cudaDevAttrPageableMemoryAccess) != 0,
         attribute(ordinal, cudaDevAttrPageableMemoryAccessUsesHostPageTables) != 0,
         attribute(ordinal, cudaDevAttrConcurrentManagedAccess) != 0});
    device.numa_node = attribute(ordinal, cudaDevAttrHostNumaId);
    devices.push_back(device);
  }
  return {};
}

std::string memory(int ordinal, std::uint64_t& free, std::uint64_t& total) {
  if (std::string problem = problem_of(cudaSetDevice(ordinal), "cudaSetDevice"); !problem.empty())
    return problem;
  std::size_t free_now = 0, all = 0;
  std::string problem = problem_of(cudaMemGetInfo(&free_now, &all), "cudaMemGetInfo");
  free = free_now;
  total = all;
  return problem;
}

}  // namespace

extern "C" const CudaModuleApi* sparkmpi_cuda_module() {
  static const CudaModuleApi api = {CudaModuleApi::kVersion, enumerate, memory,
                                    sparkmpi::kernels::cuda_interface};
  return &api;
}
