#pragma once
// Device memory and streams that free themselves.

#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <cstddef>
#include <utility>

#include "base/bytes.hpp"
#include "kernels/device/cuda/check.hpp"

namespace sparkmpi::kernels::cuda {

/// Memory of the current device by cudaMalloc: aligned to 256 bytes, not initialised.
class Buffer {
 public:
  Buffer() = default;
  /// Throws Error that names what was asked and what was free.
  explicit Buffer(std::size_t bytes) : size_(bytes) {
    const cudaError_t status = cudaMalloc(&data_, bytes);
    if (status == cudaSuccess) return;
    std::size_t free = 0, total = 0;
    const bool known = cudaMemGetInfo(&free, &total) == cudaSuccess;
    throw Error(fmt::format(
        "cudaMalloc of {}: {}{}", format_bytes(static_cast<double>(bytes)), cudaGetErrorString(status),
        known ? fmt::format("; {} of {} were free", format_bytes(static_cast<double>(free)),
                            format_bytes(static_cast<double>(total)))
              : ""));
  }
  ~Buffer() { cudaFree(data_); }
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  Buffer(const Buffer&) = delete;             ///< owns device memory
  Buffer& operator=(const Buffer&) = delete;  ///< owns device memory

  template <class T = void>
  T* as() const {
    return static_cast<T*>(data_);
  }
  std::size_t size() const { return size_; }

 private:
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

/// A stream of the current device that does not wait for the default one.
class Stream {
 public:
  Stream() { check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags"); }
  ~Stream() { cudaStreamDestroy(stream_); }
  Stream(const Stream&) = delete;             ///< owns a stream
  Stream& operator=(const Stream&) = delete;  ///< owns a stream

  cudaStream_t get() const { return stream_; }
  void wait() const { check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize"); }

 private:
  cudaStream_t stream_ = nullptr;
};

}  // namespace sparkmpi::kernels::cuda
