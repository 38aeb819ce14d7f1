// Memory as the CUDA runtime gives it.

#include <fmt/format.h>

#include <array>
#include <cstdlib>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "kernels/charge/cuda/interface.hpp"
#include "kernels/charge/cuda/runtime.hpp"
#include "kernels/charge/cuda/virtual_memory.hpp"

namespace sparkmpi::kernels::charge {
namespace {

/// Memory with one address, from whatever gives and takes it.
class CudaAllocator : public Allocator {
 public:
  void allocate(std::size_t bytes) final {
    bytes_ = bytes;
    memory_ = get(bytes);
  }
  void release() final {
    give_back(memory_);
    memory_ = nullptr;
  }

 protected:
  virtual void* get(std::size_t bytes) = 0;
  virtual void give_back(void* memory) = 0;
  void* memory_ = nullptr;
  std::size_t bytes_ = 0;
};

/// Only the GPU can reach it.
class DeviceMemory : public CudaAllocator {
 public:
  bool touch_gpu() override {
    write_every_page_from_gpu(memory_, bytes_);
    return true;
  }
};

/// Both can reach it; pinned from the start.
class PinnedMemory : public CudaAllocator {
 public:
  bool touch_cpu() override {
    write_every_page(memory_, bytes_);
    return true;
  }
  bool touch_gpu() override {
    void* on_device = nullptr;
    require(cudaHostGetDevicePointer(&on_device, memory_, 0), "cudaHostGetDevicePointer", bytes_);
    write_every_page_from_gpu(on_device, bytes_);
    return true;
  }
};

class Malloc final : public DeviceMemory {
  void* get(std::size_t bytes) override {
    void* memory = nullptr;
    require(cudaMalloc(&memory, bytes), "cudaMalloc", bytes);
    return memory;
  }
  void give_back(void* memory) override { require(cudaFree(memory), "cudaFree"); }
};

/// The default pool with its default release threshold of 0: what is free goes back at the next
/// synchronisation.
class MallocAsync final : public DeviceMemory {
  void* get(std::size_t bytes) override {
    if (device_attribute(cudaDevAttrMemoryPoolsSupported) == 0)
      throw Error(fmt::format("{}: this device has no memory pools", kNotSupported));
    void* memory = nullptr;
    require(cudaMallocAsync(&memory, bytes, nullptr), "cudaMallocAsync", bytes);
    require(cudaStreamSynchronize(nullptr), "cudaMallocAsync", bytes);
    return memory;
  }
  void give_back(void* memory) override {
    require(cudaFreeAsync(memory, nullptr), "cudaFreeAsync");
    require(cudaStreamSynchronize(nullptr), "cudaFreeAsync");
  }
};

class Managed : public CudaAllocator {
  void* get(std::size_t bytes) override {
    if (device_attribute(cudaDevAttrManagedMemory) == 0)
      throw Error(fmt::format("{}: this device has no managed memory", kNotSupported));
    std::size_t free = 0, total = 0;
    require(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
    // Beyond it managed memory succeeds and thrashes.
    if (bytes > free)
      throw Error(fmt::format("cudaMallocManaged of {} not tried: the GPU has {} free",
                              format_bytes(static_cast<double>(bytes)),
                              format_bytes(static_cast<double>(free))));
    void* memory = nullptr;
    require(cudaMallocManaged(&memory, bytes), "cudaMallocManaged", bytes);
    return memory;
  }
  void give_back(void* memory) override { require(cudaFree(memory), "cudaFree"); }
};

class ManagedOnCpu final : public Managed {
 public:
  bool touch_cpu() override {
    write_every_page(memory_, bytes_);
    return true;
  }
};

class ManagedOnGpu final : public Managed {
 public:
  bool touch_gpu() override {
    write_every_page_from_gpu(memory_, bytes_);
    return true;
  }
};

class MallocHost final : public PinnedMemory {
  void* get(std::size_t bytes) override {
    void* memory = nullptr;
    require(cudaMallocHost(&memory, bytes), "cudaMallocHost", bytes);
    return memory;
  }
  void give_back(void* memory) override { require(cudaFreeHost(memory), "cudaFreeHost"); }
};

class HostAllocMapped final : public PinnedMemory {
  void* get(std::size_t bytes) override {
    void* memory = nullptr;
    require(cudaHostAlloc(&memory, bytes, cudaHostAllocMapped), "cudaHostAlloc", bytes);
    return memory;
  }
  void give_back(void* memory) override { require(cudaFreeHost(memory), "cudaFreeHost"); }
};

/// Ordinary memory, page-aligned so that every size has the same number of pages, and large enough for
/// malloc to map it alone and give it back at free().
void* aligned_memory(std::size_t bytes) {
  constexpr std::size_t kAlignment = 4096;
  void* const memory = std::aligned_alloc(kAlignment, bytes);
  if (memory == nullptr)
    throw Error(fmt::format("aligned_alloc of {} refused", format_bytes(static_cast<double>(bytes))));
  return memory;
}

class HostRegister final : public PinnedMemory {
  void* get(std::size_t bytes) override {
    void* const memory = aligned_memory(bytes);
    const cudaError_t status = cudaHostRegister(memory, bytes, cudaHostRegisterMapped);
    if (status != cudaSuccess) std::free(memory);
    require(status, "cudaHostRegister", bytes);
    return memory;
  }
  void give_back(void* memory) override {
    require(cudaHostUnregister(memory), "cudaHostUnregister");
    std::free(memory);
  }
};

/// Pages that the GPU itself faults in (HMM, or a coherent or integrated device).
class PageableOnGpu final : public CudaAllocator {
 public:
  bool touch_gpu() override {
    write_every_page_from_gpu(memory_, bytes_);
    return true;
  }

 private:
  void* get(std::size_t bytes) override {
    if (device_attribute(cudaDevAttrPageableMemoryAccess) == 0)
      throw Error(
          fmt::format("{}: this GPU cannot reach malloc's memory (pageableMemoryAccess = 0)", kNotSupported));
    return aligned_memory(bytes);
  }
  void give_back(void* memory) override { std::free(memory); }
};

template <class T>
std::unique_ptr<Allocator> make(const Scratch&) {
  return std::make_unique<T>();
}

constexpr std::array<AllocatorInfo, 10> kCudaAllocators = {{
    {"cudaMalloc", "cudaMalloc, written by the GPU", Needs::gpu, make<Malloc>},
    {"cudaMallocAsync", "cudaMallocAsync from the default pool, written by the GPU", Needs::gpu,
     make<MallocAsync>},
    {"managed_cpu", "cudaMallocManaged, written by the CPU", Needs::gpu, make<ManagedOnCpu>},
    {"managed_gpu", "cudaMallocManaged, written by the GPU", Needs::gpu, make<ManagedOnGpu>},
    {"cudaMallocHost", "cudaMallocHost, written by both", Needs::gpu, make<MallocHost>},
    {"cudaHostAlloc", "cudaHostAlloc with cudaHostAllocMapped, written by both", Needs::gpu,
     make<HostAllocMapped>},
    {"cudaHostRegister", "malloc, then cudaHostRegister, written by both", Needs::gpu, make<HostRegister>},
    {"malloc_gpu", "malloc, written by the GPU alone", Needs::gpu, make<PageableOnGpu>},
    {"cuMemCreate", "cuMemCreate on the device, mapped, written by the GPU", Needs::gpu, make_device_memory},
    {"cuMemCreateHost", "cuMemCreate on the host's NUMA node, mapped, written by both", Needs::gpu,
     make_host_numa_memory},
}};

std::span<const AllocatorInfo> allocators() {
  return kCudaAllocators;
}

void prepare(int ordinal) {
  require(cudaSetDevice(ordinal), "cudaSetDevice");
  // A first write makes the context and loads the kernel's code.
  void* memory = nullptr;
  require(cudaMalloc(&memory, 1), "cudaMalloc");
  write_every_page_from_gpu(memory, 1);
  require(cudaFree(memory), "cudaFree");
}

}  // namespace

void require(cudaError_t status, std::string_view call, std::size_t bytes) {
  if (status == cudaSuccess) return;
  const std::string size =
      bytes == 0 ? std::string() : fmt::format(" of {}", format_bytes(static_cast<double>(bytes)));
  throw Error(fmt::format("{}{}: {}", call, size, cudaGetErrorString(status)));
}

int device_attribute(cudaDeviceAttr attribute) {
  int device = 0, value = 0;
  require(cudaGetDevice(&device), "cudaGetDevice");
  require(cudaDeviceGetAttribute(&value, attribute, device), "cudaDeviceGetAttribute");
  return value;
}

const CudaAllocators& cuda_side() {
  static constexpr CudaAllocators kSide = {prepare, allocators};
  return kSide;
}

}  // namespace sparkmpi::kernels::charge
