#include "kernels/stream/cuda/array_memory.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <cstring>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "kernels/device/cuda/check.hpp"

namespace sparkmpi::kernels::stream {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

void require_pageable_access() {
  int device = 0, pageable = 0;
  cuda::check(cudaGetDevice(&device), "cudaGetDevice");
  cuda::check(cudaDeviceGetAttribute(&pageable, cudaDevAttrPageableMemoryAccess, device),
              "cudaDeviceGetAttribute");
  if (pageable == 0)
    throw Error("this GPU does not reach the system's pageable memory; use --memory pinned or managed");
}

}  // namespace

ArrayMemory::ArrayMemory(MemoryKind kind, std::size_t bytes) : kind_(kind) {
  const std::string what =
      fmt::format("{} of {} memory", format_bytes(static_cast<double>(bytes)), to_string(kind));
  switch (kind) {
    case MemoryKind::device:
      cuda::check(cudaMalloc(&allocated_, bytes), what);
      break;
    case MemoryKind::managed:
      cuda::check(cudaMallocManaged(&allocated_, bytes, cudaMemAttachGlobal), what);
      break;
    case MemoryKind::pinned:
      cuda::check(cudaHostAlloc(&allocated_, bytes, cudaHostAllocMapped), what);
      break;
    case MemoryKind::system:
      require_pageable_access();
      allocated_ = std::aligned_alloc(kHugePage, (bytes + kHugePage - 1) / kHugePage * kHugePage);
      if (allocated_ == nullptr) throw Error(what + ": the system has no room");
      std::memset(allocated_, 0, bytes);
      break;
  }
  void* device_address = allocated_;
  if (kind == MemoryKind::pinned) {
    const cudaError_t status = cudaHostGetDevicePointer(&device_address, allocated_, 0);
    if (status != cudaSuccess) {
      cudaFreeHost(allocated_);
      cuda::check(status, "cudaHostGetDevicePointer");
    }
  }
  data_ = static_cast<double*>(device_address);
}

ArrayMemory::~ArrayMemory() {
  switch (kind_) {
    case MemoryKind::device:
    case MemoryKind::managed:
      cudaFree(allocated_);
      break;
    case MemoryKind::pinned:
      cudaFreeHost(allocated_);
      break;
    case MemoryKind::system:
      std::free(allocated_);
      break;
  }
}

}  // namespace sparkmpi::kernels::stream
