#pragma once
// Memory of each kind that a GPU can stream through.

#include <cuda_runtime_api.h>

#include <cstddef>

#include "kernels/stream/device_arrays.hpp"

namespace sparkmpi::kernels::stream {

class ArrayMemory {
 public:
  /// Of the current device. Throws Error that names what was asked, and for `system` where this GPU does not
  /// reach pageable memory.
  ArrayMemory(MemoryKind kind, std::size_t bytes);
  ~ArrayMemory();
  ArrayMemory(const ArrayMemory&) = delete;             ///< owns memory
  ArrayMemory& operator=(const ArrayMemory&) = delete;  ///< owns memory

  /// As the GPU addresses it, aligned to 256 bytes.
  double* data() const { return data_; }

 private:
  MemoryKind kind_;
  void* allocated_ = nullptr;
  double* data_ = nullptr;
};

}  // namespace sparkmpi::kernels::stream
