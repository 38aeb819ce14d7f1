#include "kernels/device/cuda/memory.hpp"

#include <fmt/format.h>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "kernels/device/cuda/check.hpp"

namespace sparkmpi::kernels::cuda {

DeviceMemory::DeviceMemory(std::size_t bytes, std::string_view what) : bytes_(bytes) {
  if (bytes == 0) return;
  const cudaError_t status = cudaMalloc(&data_, bytes);
  if (status == cudaSuccess) return;
  static_cast<void>(cudaGetLastError());
  std::size_t free = 0, total = 0;
  if (status != cudaErrorMemoryAllocation || cudaMemGetInfo(&free, &total) != cudaSuccess)
    check(status, fmt::format("device memory for {}", what));
  throw Error(fmt::format("{}: {} of device memory wanted, {} of {} free", what,
                          format_bytes(static_cast<double>(bytes)), format_bytes(static_cast<double>(free)),
                          format_bytes(static_cast<double>(total))));
}

DeviceMemory::~DeviceMemory() {
  if (data_ != nullptr) static_cast<void>(cudaFree(data_));
}

void DeviceMemory::clear() const {
  if (bytes_ == 0) return;
  check(cudaMemset(data_, 0, bytes_), "cudaMemset");
  check(cudaStreamSynchronize(nullptr), "cudaStreamSynchronize");
}

PinnedMemory::PinnedMemory(std::size_t bytes, std::string_view what) : bytes_(bytes) {
  if (bytes == 0) return;
  check(cudaHostAlloc(&data_, bytes, cudaHostAllocMapped | cudaHostAllocPortable),
        fmt::format("{} of page-locked memory for {}", format_bytes(static_cast<double>(bytes)), what));
}

PinnedMemory::~PinnedMemory() {
  if (data_ != nullptr) static_cast<void>(cudaFreeHost(data_));
}

Stream::Stream() {
  check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
}

Stream::~Stream() {
  static_cast<void>(cudaStreamDestroy(stream_));
}

void Stream::wait(std::string_view what) const {
  check(cudaStreamSynchronize(stream_), what);
}

Event::Event() {
  check(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "cudaEventCreateWithFlags");
}

Event::~Event() {
  static_cast<void>(cudaEventDestroy(event_));
}

}  // namespace sparkmpi::kernels::cuda
