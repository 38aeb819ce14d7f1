#pragma once
// A block's way through the weights on devices with bulk copies (compute capability 9.0 and later): a ring of
// stages in shared memory, one unit for each warp that multiplies, filled by one warp that does nothing else.
// A bulk copy needs no registers and no turns of the load/store unit, so the warps that multiply take what
// has come as fast as they can read it.

#include <cuda/ptx>

#include "kernels/inference/cuda/launch.cuh"
#include "kernels/inference/cuda/linear/ring_choice.hpp"
#include "kernels/inference/cuda/linear/weight_stream.cuh"

namespace sparkmpi::kernels::inference::gpu {

inline constexpr std::uint32_t kStageAlign = 1024;  ///< of tensor copies with a swizzle

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

/// Weights are read once a step: in the second-level cache they give way to everything else.
__device__ inline std::uint64_t read_once() {
  std::uint64_t policy;
  asm("createpolicy.fractional.L2::evict_first.b64 %0;" : "=l"(policy));
  return policy;
}

/// One stage of BF16 weights: units [unit, unit + kRingWarps) of a tile, zeros beyond the last.
/// @param step the tile's place in the map (weight_map.hpp). By one lane.
__device__ inline void fill_stage(const CUtensorMap& map, unsigned char* to, std::uint64_t* full, int step,
                                  int unit) {
  using namespace ::cuda::ptx;
  mbarrier_arrive_expect_tx(sem_release, scope_cta, space_shared, full, stage_bytes(WeightFormat::bf16));
  asm volatile(
      "cp.async.bulk.tensor.5d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.L2::cache_hint [%0], "
      "[%1, {%2, %3, %2, %2, %4}], [%5], %6;" ::"r"(shared_address(to)),
      "l"(&map), "r"(0), "r"(step), "r"(unit), "r"(shared_address(full)), "l"(read_once())
      : "memory");
}

/// The same of other formats, as far as there are units. @param source where the tile begins.
template <WeightFormat kFormat>
__device__ inline void fill_stage(const unsigned char* source, unsigned char* to, std::uint64_t* full,
                                  int unit, int units) {
  using namespace ::cuda::ptx;
  const auto bytes = static_cast<std::uint32_t>(min(units - unit, kRingWarps) * unit_bytes(kFormat));
  mbarrier_arrive_expect_tx(sem_release, scope_cta, space_shared, full, bytes);
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint [%0], [%1], %2, "
      "[%3], %4;" ::"r"(shared_address(to)),
      "l"(source + static_cast<std::size_t>(unit) * unit_bytes(kFormat)), "r"(bytes),
      "r"(shared_address(full)), "l"(read_once())
      : "memory");
}

}  // namespace sparkmpi::kernels::inference::gpu
