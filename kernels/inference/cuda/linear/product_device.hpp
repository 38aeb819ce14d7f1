#pragma once
// What every launch of a product has to know of its device, and the memory that blocks share.

#include <cstddef>
#include <cstdint>

namespace sparkmpi::kernels::inference::gpu {

/// Blocks of a product on a multiprocessor, at most.
inline constexpr int kMostBlocks = 2;
/// Bytes of shared memory that the system takes a block.
inline constexpr std::size_t kReservedShared = 1024;

struct DeviceLimits {
  int multiprocessors = 0;
  std::size_t shared_of_multiprocessor = 0;  ///< bytes of shared memory
  std::size_t shared_of_block = 0;           ///< bytes that a block may opt into
  std::size_t bytes_under_way = 0;           ///< that a multiprocessor has asked the memory for, at most
  bool overlap = false;                      ///< has programmatic dependent launch
  bool bulk_copies = false;                  ///< has them, and so has the code that was compiled for it
};

/// What the blocks of a product tell each other: the sums of parts, and which tiles are taken.
struct Workspace {
  static constexpr std::size_t kPartials = std::size_t{1} << 15;  ///< tiles × parts, of 128 floats each
  static constexpr std::size_t kArrivals = std::size_t{1} << 16;  ///< tiles
  float* partials = nullptr;
  std::uint32_t* arrivals = nullptr;  ///< zero between launches
  /// Launches that overlap must not share a counter of claims: no more than three have blocks at one time.
  static constexpr std::uint32_t kTurns = 8;
  std::uint32_t* claims = nullptr;  ///< [kTurns], zero between launches
  std::uint32_t* next_claims() const { return claims + turn++ % kTurns; }
  mutable std::uint32_t turn = 0;
};

}  // namespace sparkmpi::kernels::inference::gpu
