#pragma once
// How the bulk tensor copies of a ring find the BF16 rows of a tile (weight_ring.cuh).

#include <cuda.h>

#include <cstdint>

#include "kernels/inference/cuda/linear/device_matrix.hpp"

namespace sparkmpi::kernels::inference::gpu {

inline constexpr int kRingWarps = 8;  ///< warps of a ring product that multiply; units of a stage

/// Whether a tensor map can describe the matrix: BF16, whole tiles and units.
bool has_weight_map(const DeviceMatrix& matrix);

/// The matrix (of `experts` that lie one after the other) in five dimensions: 64 columns of a unit; four
/// pairs of neighbouring rows; the two of a pair; the tile's two halves of eight rows; units. A copy brings
/// kRingWarps units of a tile. A half's first rows of pairs come before its second ones: with the map's
/// swizzle of 128 bytes, a quarter warp's two rows of a half then lie in different banks.
/// Throws Error when the driver has no tensor maps or refuses this one.
CUtensorMap weight_map(const DeviceMatrix& matrix, int experts);

/// Logical rows from one to the next of the map's second to fourth dimension.
struct MapRows {
  std::uint64_t of_pair, within_pair, of_half;
};
constexpr MapRows map_rows(RowOrder order, int rows) {
  switch (order) {
    case RowOrder::plain:
      return {2, 1, 8};
    case RowOrder::gate_then_up:
      return {2, 1, static_cast<std::uint64_t>(rows / 2)};
    case RowOrder::gate_up_interleaved:
      return {4, 2, 1};
  }
  return {};
}

/// Coordinates of a tile in the map's second dimension; experts follow each other.
constexpr int map_steps(RowOrder order, int tile) {
  return tile * (order == RowOrder::plain ? 8 : 4);
}
constexpr int map_expert_steps(RowOrder order, int rows) {
  return rows / (order == RowOrder::gate_up_interleaved ? 4 : 2);
}
/// Where row `within` of half a tile lies in a unit's half.
constexpr int map_row(int within) {
  return within / 2 + within % 2 * 4;
}

}  // namespace sparkmpi::kernels::inference::gpu
