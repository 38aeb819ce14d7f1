#pragma once
// A block's way through the weights on devices with bulk copies (compute capability 9.0 and later): a ring of
// stages in shared memory, one unit for each warp that multiplies, filled by one warp that does nothing else.
// A bulk copy needs no registers and no turns of the load/store unit, so the warps that multiply take what
// has come as fast as they can read it.

#include <cuda/ptx>

#include "kernels/inference/cuda/launch.cuh"
#include "kernels/inference/cuda/linear/weight_stream.cuh"

namespace sparkmpi::kernels::inference::gpu {

inline constexpr int kRingWarps = 8;    ///< that multiply
inline constexpr int kMostStages = 16;  ///< of a ring

/// BF16 rows lie this far apart in a stage, so that a quarter warp's two rows are in different banks.
inline constexpr int kRingRowBytes = kRingWarps * 128 + 64;
constexpr int stage_bytes(WeightFormat format) {
  return format == WeightFormat::bf16 ? kTileRows * kRingRowBytes : kRingWarps * unit_bytes(format);
}

/// A number of the round through a ring of buffers, for whoever fills it and whoever empties it.
struct RingPlace {
  int index = 0;
  std::uint32_t round = 0;  ///< 0 and 1 in turn
  __device__ void next(int count) {
    if (++index < count) return;
    index = 0;
    round ^= 1U;
  }
};

__device__ inline void wait_for(std::uint64_t* barrier, std::uint32_t round) {
  while (!::cuda::ptx::mbarrier_try_wait_parity(barrier, round)) {
  }
}
__device__ inline void arrive_at(std::uint64_t* barrier) {
  ::cuda::ptx::mbarrier_arrive(::cuda::ptx::sem_release, ::cuda::ptx::scope_cta, ::cuda::ptx::space_shared,
                               barrier);
}

struct Ring {
  unsigned char* stages;
  std::uint64_t *full, *empty;  ///< a barrier a stage
  int count;
};

/// Where a warp's unit lies in its stage.
template <WeightFormat kFormat>
__device__ inline int unit_place(int unit) {
  return unit * (kFormat == WeightFormat::bf16 ? 128 : unit_bytes(kFormat));
}

/// One stage: units [unit, unit + kRingWarps) of an item, as far as there are any.
/// @param source where the tile's rows (BF16: this lane's row) begin.
/// @param rows that exist.
template <WeightFormat kFormat>
__device__ inline void fill_stage(const Geometry& geometry, unsigned char* to, std::uint64_t* full,
                                  const unsigned char* source, int rows, int unit, int lane) {
  using namespace ::cuda::ptx;
  const int units = min(geometry.units - unit, kRingWarps);
  if constexpr (kFormat == WeightFormat::bf16) {
    const auto bytes = static_cast<std::uint32_t>(min(units * 64, geometry.columns - unit * 64) * 2);
    if (lane == 0)
      mbarrier_arrive_expect_tx(sem_release, scope_cta, space_shared, full,
                                bytes * static_cast<std::uint32_t>(rows));
    __syncwarp();
    if (lane < rows)
      cp_async_bulk(space_cluster, space_global, to + lane * kRingRowBytes, source + unit * 128, bytes, full);
  } else if (lane == 0) {
    const auto bytes = static_cast<std::uint32_t>(units * unit_bytes(kFormat));
    mbarrier_arrive_expect_tx(sem_release, scope_cta, space_shared, full, bytes);
    cp_async_bulk(space_cluster, space_global, to,
                  source + static_cast<std::size_t>(unit) * unit_bytes(kFormat), bytes, full);
  }
  __syncwarp();
}

}  // namespace sparkmpi::kernels::inference::gpu
