#pragma once
// The exchange of peer_reduce.hpp on the device.

#include <cstddef>
#include <cstdint>

#include "kernels/inference/cuda/linear/products.hpp"

namespace sparkmpi::kernels::inference::gpu {

inline constexpr int kMostPeers = 8;
/// Blocks begin in the order of their index and send before they wait, so the first unfinished one of each
/// member has what it waits for, also where not all fit on a GPU at once.
inline constexpr int kMostExchangeBlocks = 1024;

struct PeerBoxes {
  std::uint64_t* boxes[kMostPeers] = {};  ///< each member's [2, members, capacity], in its own memory
  std::size_t capacity = 0;
  int rank = 0, members = 1;
  std::uint32_t* numbers = nullptr;  ///< [kMostExchangeBlocks] of the sum that comes next, from 1
  const volatile std::uint32_t* abort = nullptr;
};

/// values[i] becomes the members' sum, in the order of their ranks. count ≤ capacity.
void exchange_and_store(const PeerBoxes& boxes, float* values, int count, const Launch& launch);
/// AllReduce::add. tokens·hidden ≤ capacity.
void exchange_and_add(const PeerBoxes& boxes, float* partial, int tokens, int hidden,
                      const ResidualOutput& output, const Launch& launch);

}  // namespace sparkmpi::kernels::inference::gpu
