#pragma once
// The GPU side of the charge experiment, as the CUDA module carries it.

#include <span>
#include <string_view>

#include "kernels/charge/allocator.hpp"

namespace sparkmpi::kernels::charge {

struct CudaAllocators {
  static constexpr std::string_view kInterface = "charge";
  /// Makes the context of a device and loads the touching kernel, so that neither looks like charge later.
  /// Everything that follows in this process is on that device. Throws Error with CUDA's words.
  void (*prepare)(int ordinal);
  /// What CUDA can be asked for. Those that a device lacks say so (kNotSupported) when they are used.
  std::span<const AllocatorInfo> (*allocators)();
};

}  // namespace sparkmpi::kernels::charge
