// libsparkmpi_cuda.so: what the program asks of CUDA.

#include <cuda_runtime_api.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <utility>

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

sparkmpi::Attributes attributes(int ordinal, const cudaDeviceProp& properties) {
  constexpr std::array<std::pair<const char*, cudaDeviceAttr>, 8> kNames = {
      {{"integrated", cudaDevAttrIntegrated},
       {"pageable_memory_access", cudaDevAttrPageableMemoryAccess},
       {"pageable_memory_access_uses_host_page_tables", cudaDevAttrPageableMemoryAccessUsesHostPageTables},
       {"concurrent_managed_access", cudaDevAttrConcurrentManagedAccess},
       {"direct_managed_mem_access_from_host", cudaDevAttrDirectManagedMemAccessFromHost},
       {"can_map_host_memory", cudaDevAttrCanMapHostMemory},
       {"memory_pools_supported", cudaDevAttrMemoryPoolsSupported},
       {"host_numa_id", cudaDevAttrHostNumaId}}};
  sparkmpi::Attributes facts;
  for (const auto& [name, which] : kNames) facts[name] = std::int64_t{attribute(ordinal, which)};
  facts["compute_capability"] = std::to_string(properties.major) + "." + std::to_string(properties.minor);
  int driver = 0;
  if (cudaDriverGetVersion(&driver) == cudaSuccess) facts["cuda_driver_version"] = std::int64_t{driver};
  facts["cuda_runtime_version"] = std::int64_t{CUDART_VERSION};
  return facts;
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
    const auto is = [ordinal](cudaDeviceAttr name) { return attribute(ordinal, name) != 0; };
    device.memory_model = sparkmpi::kernels::memory_model(
        {is(cudaDevAttrIntegrated), is(cudaDevAttrPageableMemoryAccess),
         is(cudaDevAttrPageableMemoryAccessUsesHostPageTables), is(cudaDevAttrConcurrentManagedAccess)});
    device.attributes = attributes(ordinal, properties);
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
  static const CudaModuleApi api = {SPARKMPI_CUDA_INTERFACE, enumerate, memory,
                                    sparkmpi::kernels::cuda_interface};
  return &api;
}
