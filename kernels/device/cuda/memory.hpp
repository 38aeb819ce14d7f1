#pragma once
// Memory of the device and page-locked memory of the host, owned.

#include <cuda_runtime_api.h>

#include <cstddef>
#include <string_view>
#include <utility>

namespace sparkmpi::kernels::cuda {

/// Device memory of the current device (cudaMalloc).
class DeviceMemory {
 public:
  DeviceMemory() = default;
  /// Throws Error naming `what`, the bytes asked for and the bytes free when the device has no room.
  DeviceMemory(std::size_t bytes, std::string_view what);
  ~DeviceMemory();
  DeviceMemory(DeviceMemory&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  DeviceMemory& operator=(DeviceMemory&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  DeviceMemory(const DeviceMemory&) = delete;             ///< owns memory
  DeviceMemory& operator=(const DeviceMemory&) = delete;  ///< owns memory

  template <class T = std::byte>
  T* as() const {
    return static_cast<T*>(data_);
  }
  std::size_t bytes() const { return bytes_; }
  /// Fills it with zero bytes and waits: streams of ours don't wait for the default one.
  void clear() const;

 private:
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// Page-locked host memory that the device can read and write in place (cudaHostAlloc, mapped).
class PinnedMemory {
 public:
  PinnedMemory() = default;
  PinnedMemory(std::size_t bytes, std::string_view what);
  ~PinnedMemory();
  PinnedMemory(PinnedMemory&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  PinnedMemory& operator=(PinnedMemory&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  PinnedMemory(const PinnedMemory&) = delete;             ///< owns memory
  PinnedMemory& operator=(const PinnedMemory&) = delete;  ///< owns memory

  /// The same address serves host and device: addressing is unified.
  template <class T = std::byte>
  T* as() const {
    return static_cast<T*>(data_);
  }
  std::size_t bytes() const { return bytes_; }

 private:
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// A stream of the current device that does not wait for the default one.
class Stream {
 public:
  Stream();
  ~Stream();
  Stream(const Stream&) = delete;                    ///< owns a stream
  Stream& operator=(const Stream&) = delete;         ///< owns a stream
  operator cudaStream_t() const { return stream_; }  // NOLINT(google-explicit-constructor): it is one
  /// Waits for all of its work. Throws Error naming `what` when that failed.
  void wait(std::string_view what) const;

 private:
  cudaStream_t stream_ = nullptr;
};

/// An event of the current device, without a time.
class Event {
 public:
  Event();
  ~Event();
  Event(const Event&) = delete;                    ///< owns an event
  Event& operator=(const Event&) = delete;         ///< owns an event
  operator cudaEvent_t() const { return event_; }  // NOLINT(google-explicit-constructor): it is one

 private:
  cudaEvent_t event_ = nullptr;
};

}  // namespace sparkmpi::kernels::cuda
