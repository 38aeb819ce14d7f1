#pragma once
// What every launch of a product has to know of its device, and the memory that blocks share.

#include <cstddef>
#include <cstdint>

namespace sparkmpi::kernels::inference::gpu {

struct DeviceLimits {
  int multiprocessors = 0;
  std::size_t shared_of_multiprocessor = 0;  ///< bytes of shared memory
  std::size_t shared_of_block = 0;           ///< bytes that a block may opt into
  bool overlap = false;                      ///< has programmatic dependent launch
};

/// The sums of parts that different blocks have computed.
struct Workspace {
  static constexpr std::size_t kPartials = std::size_t{1} << 15;  ///< tiles × parts, of 128 floats each
  static constexpr std::size_t kArrivals = std::size_t{1} << 16;  ///< tiles
  float* partials = nullptr;
  std::uint32_t* arrivals = nullptr;  ///< zero between launches
  void* turns = nullptr;
  mutable unsigned turn = 0;
};

}  // namespace sparkmpi::kernels::inference::gpu
