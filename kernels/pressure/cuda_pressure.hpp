#pragma once
// The GPU side of the ladder, as the CUDA module carries it.

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "kernels/pressure/allocator.hpp"
#include "kernels/pressure/read_probe.hpp"

namespace sparkmpi::kernels::pressure {

struct CudaPressure {
  static constexpr std::string_view kInterface = "pressure";
  /// Makes the context of a device, so that its memory is no part of the ladder. All allocators of this
  /// process are on that device from then on. Throws Error with CUDA's words.
  void (*prepare)(int ordinal);
  std::span<const AllocatorInfo> (*allocators)();
  /// Reads a buffer of this size in the device's memory. Throws Error when there is no room for it.
  std::unique_ptr<ReadProbe> (*make_read_probe)(int ordinal, std::size_t bytes);
};

}  // namespace sparkmpi::kernels::pressure
