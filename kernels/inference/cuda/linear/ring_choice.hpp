#pragma once
// Which ring serves a product (ring_product_kernel.cuh): how many blocks share a multiprocessor, how many
// stages their rings have, and how many of those are asked for at a time.

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/inference/cuda/linear/product_device.hpp"
#include "kernels/inference/cuda/linear/tile_layout.cuh"
#include "kernels/inference/cuda/linear/weight_map.hpp"

namespace sparkmpi::kernels::inference::gpu {

inline constexpr int kMostStages = 16;  ///< of a ring
/// One unit for each warp that multiplies.
constexpr std::uint32_t stage_bytes(WeightFormat format) {
  return kRingWarps * unit_bytes(format);
}
inline constexpr int kSumBuffers = 2;  ///< of a tile's sums
inline constexpr std::uint32_t kRingSums = kSumBuffers * kRingWarps * 128 * sizeof(float);
/// Shared memory that a block has statically, at most (RingBlock), in whole alignments of a stage.
inline constexpr std::size_t kRingStatic = 2048;

struct RingShape {
  int blocks_each = 0, stages = 0;  ///< 0 stages: does not fit
  std::uint32_t shared_bytes = 0;
};
/// A ring with fewer stages does not keep the memory busy; a block alone needs more.
constexpr std::size_t least_stages(int blocks_each) {
  return blocks_each > 1 ? 4 : 6;
}

constexpr RingShape ring_of(WeightFormat format, std::size_t vector_bytes, int blocks_each,
                            const DeviceLimits& limits) {
  const std::size_t stage = stage_bytes(format), fixed = kRingStatic + kRingSums + vector_bytes;
  const std::size_t room =
      std::min(limits.shared_of_block,
               limits.shared_of_multiprocessor / static_cast<std::size_t>(blocks_each) - kReservedShared);
  if (fixed + least_stages(blocks_each) * stage > room) return {};
  const auto stages = std::min<std::size_t>(kMostStages, (room - fixed) / stage);
  return {blocks_each, static_cast<int>(stages),
          static_cast<std::uint32_t>(stages * stage + kRingSums + vector_bytes)};
}

/// Which ring serves a product best, if any, by measurement (tests/bench/gemv_bench.cu on H100 and H200;
/// docs/findings/inference-h100.md). Of a matrix with one tile a multiprocessor, or fewer, a block whose ring
/// holds its tile leaves room for those of the next kernels. Of others two blocks share a multiprocessor,
/// unless tiles are longer than their rings, or FP8's rings have fewer than eight stages: then one has a
/// longer ring.
/// @param vectors in shared memory. @param experts whether several share the launch.
inline RingShape choose_ring(const DeviceMatrix& matrix, int vectors, bool experts,
                             const DeviceLimits& limits) {
  const WeightFormat format = matrix.format;
  if (!limits.bulk_copies || (format == WeightFormat::bf16 && !has_weight_map(matrix))) return {};
  const int units = units_of(format, matrix.columns);
  const std::size_t vector_bytes = static_cast<std::size_t>(vectors) * gpu::vector_bytes(format, units);
  const std::size_t tile_bytes =
      static_cast<std::size_t>(units) * static_cast<std::size_t>(unit_bytes(format));
  RingShape shared = ring_of(format, vector_bytes, kMostBlocks, limits);
  if (!experts && tile_count(matrix) <= limits.multiprocessors &&
      tile_bytes <= static_cast<std::size_t>(shared.stages) * stage_bytes(format)) {
    shared.blocks_each = 1;
    return shared;
  }
  if (format != WeightFormat::bf16 && shared.stages == 0) return {};
  const bool long_tiles =
      format == WeightFormat::bf16 && tile_bytes > limits.shared_of_multiprocessor * 3 / 4;
  const int least = format == WeightFormat::fp8_e4m3 ? 8 : 1;
  if (shared.stages >= least && !long_tiles) return shared;
  const RingShape alone = ring_of(format, vector_bytes, 1, limits);
  return alone.stages > 0 ? alone : shared;
}

/// Stages of a block that are asked for and have not come, at most: as much as keeps the memory busy. What is
/// asked for beyond that waits in queues which everything else has to pass as well: on an H100 a read of a
/// few bytes took 1 to 2 µs longer, the end of a kernel 2 to 3 (docs/findings/inference-h100.md).
constexpr int stages_under_way(WeightFormat format, const RingShape& shape, const DeviceLimits& limits) {
  const std::size_t bytes = limits.bytes_under_way / static_cast<std::size_t>(shape.blocks_each);
  return static_cast<int>(
      std::clamp<std::size_t>(bytes / stage_bytes(format), 1, static_cast<std::size_t>(shape.stages)));
}

/// Of a device: its memory's share of a multiprocessor while a request is on its way and waits for others,
/// 2.6 µs by measurement on an H100 (docs/findings/inference-h100.md). @param bytes_per_second 0: unknown, no
/// limit.
constexpr std::size_t bytes_under_way(double bytes_per_second, int multiprocessors) {
  constexpr double kSeconds = 2.6e-6;
  return bytes_per_second > 0 ? static_cast<std::size_t>(kSeconds * bytes_per_second / multiprocessors)
                              : SIZE_MAX;
}

}  // namespace sparkmpi::kernels::inference::gpu
