#include "kernels/charge/cuda/virtual_memory.hpp"

#include <cuda.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "kernels/charge/cuda/runtime.hpp"

namespace sparkmpi::kernels::charge {
namespace {

/// The driver's functions, looked up so that the module needs no libcuda.so.1 to load.
struct Driver {
  decltype(&::cuGetErrorString) error_string;
  decltype(&::cuDeviceGetAttribute) attribute;
  decltype(&::cuMemGetAllocationGranularity) granularity;
  decltype(&::cuMemCreate) create;
  decltype(&::cuMemRelease) release;
  decltype(&::cuMemAddressReserve) reserve;
  decltype(&::cuMemAddressFree) unreserve;
  decltype(&::cuMemMap) map;
  decltype(&::cuMemUnmap) unmap;
  decltype(&::cuMemSetAccess) set_access;
};

template <class Function>
void bind(void* handle, const char* symbol, Function& function) {
  function = reinterpret_cast<Function>(dlsym(handle, symbol));
  if (function == nullptr) throw Error(fmt::format("{}: this driver has no {}", kNotSupported, symbol));
}

const Driver& driver() {
  static const Driver loaded = [] {
    void* const handle = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) throw Error(fmt::format("{}: {}", kNotSupported, dlerror()));
    Driver functions{};
    bind(handle, "cuGetErrorString", functions.error_string);
    bind(handle, "cuDeviceGetAttribute", functions.attribute);
    bind(handle, "cuMemGetAllocationGranularity", functions.granularity);
    bind(handle, "cuMemCreate", functions.create);
    bind(handle, "cuMemRelease", functions.release);
    bind(handle, "cuMemAddressReserve", functions.reserve);
    bind(handle, "cuMemAddressFree", functions.unreserve);
    bind(handle, "cuMemMap", functions.map);
    bind(handle, "cuMemUnmap", functions.unmap);
    bind(handle, "cuMemSetAccess", functions.set_access);
    return functions;
  }();
  return loaded;
}

void require(CUresult status, std::string_view call, std::size_t bytes) {
  if (status == CUDA_SUCCESS) return;
  const char* words = nullptr;
  driver().error_string(status, &words);
  throw Error(fmt::format("{} of {}: {}", call, format_bytes(static_cast<double>(bytes)),
                          words == nullptr ? "unknown error" : words));
}

int current_device() {
  int device = 0;
  charge::require(cudaGetDevice(&device), "cudaGetDevice");
  return device;
}

class VirtualMemory : public Allocator {
 public:
  void allocate(std::size_t bytes) override {
    CUmemAllocationProp properties{};
    properties.type = CU_MEM_ALLOCATION_TYPE_PINNED;
    properties.location = location();
    std::size_t granularity = 0;
    require(driver().granularity(&granularity, &properties, CU_MEM_ALLOC_GRANULARITY_MINIMUM),
            "cuMemGetAllocationGranularity", bytes);
    bytes_ = (bytes + granularity - 1) / granularity * granularity;
    require(driver().create(&handle_, bytes_, &properties, 0), "cuMemCreate", bytes);
    require(driver().reserve(&address_, bytes_, 0, 0, 0), "cuMemAddressReserve", bytes);
    require(driver().map(address_, bytes_, 0, handle_, 0), "cuMemMap", bytes);
    const std::vector<CUmemAccessDesc> access = accessors();
    require(driver().set_access(address_, bytes_, access.data(), access.size()), "cuMemSetAccess", bytes);
  }
  bool touch_gpu() override {
    write_every_page_from_gpu(memory(), bytes_);
    return true;
  }
  void release() override {
    require(driver().unmap(address_, bytes_), "cuMemUnmap", bytes_);
    require(driver().unreserve(address_, bytes_), "cuMemAddressFree", bytes_);
    require(driver().release(handle_), "cuMemRelease", bytes_);
  }

 protected:
  /// Where the memory lies. Throws Error where this device has no such memory.
  virtual CUmemLocation location() const = 0;
  virtual std::vector<CUmemAccessDesc> accessors() const {
    return {{{CU_MEM_LOCATION_TYPE_DEVICE, current_device()}, CU_MEM_ACCESS_FLAGS_PROT_READWRITE}};
  }
  void* memory() const { return reinterpret_cast<void*>(address_); }  // NOLINT: CUdeviceptr is an integer

  std::size_t bytes_ = 0;

 private:
  CUmemGenericAllocationHandle handle_ = 0;
  CUdeviceptr address_ = 0;
};

class OnDevice final : public VirtualMemory {
  CUmemLocation location() const override {
    int supported = 0;
    require(driver().attribute(&supported, CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED,
                               current_device()),
            "cuDeviceGetAttribute", 0);
    if (supported == 0)
      throw Error(fmt::format("{}: this device has no virtual memory management", kNotSupported));
    return {CU_MEM_LOCATION_TYPE_DEVICE, current_device()};
  }
};

#if CUDA_VERSION >= 12020
class OnHostNumaNode final : public VirtualMemory {
 public:
  bool touch_cpu() override {
    write_every_page(memory(), bytes_);
    return true;
  }

 private:
  CUmemLocation location() const override {
    int supported = 0;
    const CUresult status = driver().attribute(
        &supported, CU_DEVICE_ATTRIBUTE_HOST_NUMA_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED, current_device());
    if (status != CUDA_SUCCESS || supported == 0)
      throw Error(fmt::format("{}: this device maps no memory of the host's NUMA nodes", kNotSupported));
    int node = 0;
    require(driver().attribute(&node, CU_DEVICE_ATTRIBUTE_HOST_NUMA_ID, current_device()),
            "cuDeviceGetAttribute", 0);
    // -1: the machine does not say; it has one node then, in virtual machines above all.
    return {CU_MEM_LOCATION_TYPE_HOST_NUMA, std::max(0, node)};
  }
  std::vector<CUmemAccessDesc> accessors() const override {
    std::vector<CUmemAccessDesc> both = VirtualMemory::accessors();
    both.push_back({location(), CU_MEM_ACCESS_FLAGS_PROT_READWRITE});
    return both;
  }
};
#else
class OnHostNumaNode final : public VirtualMemory {
  CUmemLocation location() const override {
    throw Error(fmt::format("{}: this program was built with a CUDA toolkit before 12.2", kNotSupported));
  }
};
#endif

}  // namespace

std::unique_ptr<Allocator> make_device_memory(const Scratch&) {
  return std::make_unique<OnDevice>();
}

std::unique_ptr<Allocator> make_host_numa_memory(const Scratch&) {
  return std::make_unique<OnHostNumaNode>();
}

}  // namespace sparkmpi::kernels::charge
