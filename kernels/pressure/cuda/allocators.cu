// Memory as CUDA gives it.

#include <cuda_runtime.h>

#include <array>
#include <string>

#include "base/bytes.hpp"
#include "kernels/pressure/cuda/interface.hpp"

namespace sparkmpi::kernels::pressure {
namespace {

void require(cudaError_t status, const char* call, std::size_t bytes) {
  if (status == cudaSuccess) return;
  static_cast<void>(cudaGetLastError());  // a refusal is no error of the context: the next call starts clean
  throw AllocationRefused(std::string(call) + " of " + format_bytes(static_cast<double>(bytes)) +
                          " more: " + cudaGetErrorName(status) + " (" + cudaGetErrorString(status) + ")");
}

/// Written by the GPU, so that managed pages settle there.
class GpuTouched : public Block {
 public:
  ~GpuTouched() override { static_cast<void>(cudaFree(memory_)); }  // a destructor has nobody to tell
  void touch(std::size_t offset, std::size_t bytes) override {
    require(cudaMemset(static_cast<std::byte*>(memory_) + offset, 1, bytes), "cudaMemset", bytes);
    require(cudaDeviceSynchronize(), "cudaDeviceSynchronize after a memset", bytes);
  }

 protected:
  void* memory_ = nullptr;
};

class DeviceMemory final : public GpuTouched {
 public:
  explicit DeviceMemory(std::size_t bytes) { require(cudaMalloc(&memory_, bytes), "cudaMalloc", bytes); }
};

class ManagedMemory final : public GpuTouched {
 public:
  explicit ManagedMemory(std::size_t bytes) {
    require(cudaMallocManaged(&memory_, bytes), "cudaMallocManaged", bytes);
  }
};

class PinnedMemory final : public Block {
 public:
  explicit PinnedMemory(std::size_t bytes) {
    require(cudaMallocHost(&memory_, bytes), "cudaMallocHost", bytes);
  }
  ~PinnedMemory() override { static_cast<void>(cudaFreeHost(memory_)); }
  void touch(std::size_t offset, std::size_t bytes) override {
    write_every_page(static_cast<std::byte*>(memory_) + offset, bytes);
  }

 private:
  void* memory_ = nullptr;
};

template <class T>
std::unique_ptr<Block> allocate(std::size_t bytes) {
  return std::make_unique<T>(bytes);
}

constexpr std::array<AllocatorInfo, 3> kAllocators = {{
    {"cuda_malloc", "cudaMalloc, written by the GPU", Pool::gpu, false, allocate<DeviceMemory>},
    {"cuda_managed", "cudaMallocManaged, written by the GPU", Pool::gpu, true, allocate<ManagedMemory>},
    {"cuda_host", "cudaMallocHost (pinned), written by a core", Pool::host, false, allocate<PinnedMemory>},
}};

}  // namespace

void prepare_cuda(int ordinal) {
  if (const cudaError_t status = cudaSetDevice(ordinal); status != cudaSuccess)
    throw Error(std::string("cudaSetDevice: ") + cudaGetErrorString(status));
  // The first memset loads its kernel; the ladder must not pay for that.
  DeviceMemory small(std::size_t{1} << 20U);
  small.touch(0, std::size_t{1} << 20U);
}

std::span<const AllocatorInfo> cuda_allocators() {
  return kAllocators;
}

}  // namespace sparkmpi::kernels::pressure
