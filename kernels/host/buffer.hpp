#pragma once
// Anonymous memory for host kernels, on huge pages where the system gives them.

#include <cstddef>
#include <span>

namespace sparkmpi::kernels::host {

/// Page-aligned, zero pages until touched, so that whoever touches first decides the NUMA node. Asks for
/// transparent huge pages from 2 MiB on: at 4 KiB pages TLB misses, not the memory, would bound a streaming
/// read.
class Buffer {
 public:
  Buffer() = default;
  /// Throws Error with the size when the system refuses.
  explicit Buffer(std::size_t bytes);
  ~Buffer();
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  Buffer(const Buffer&) = delete;             ///< owns a mapping
  Buffer& operator=(const Buffer&) = delete;  ///< owns a mapping

  std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }
  /// The memory as elements of T; T needs no more than page alignment.
  template <class T>
  std::span<T> as() const {
    return {reinterpret_cast<T*>(data_), size_ / sizeof(T)};
  }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace sparkmpi::kernels::host
