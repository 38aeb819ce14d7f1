#pragma once
// The warp of a product's block that asks for weights, and what the block's warps share.

#include "kernels/inference/cuda/linear/product_kernel.cuh"
#include "kernels/inference/cuda/linear/weight_ring.cuh"

namespace sparkmpi::kernels::inference::gpu {

struct RingItem {
  int active, tile;
};

/// What the warps of a block share.
struct RingBlock {
  std::uint64_t full[kMostStages], empty[kMostStages];
  std::uint64_t sums_full[kSumBuffers], sums_empty[kSumBuffers], vectors_full;
  RingItem stage_items[kMostStages];               ///< whose weights a stage has; tile -1: no more
  std::int32_t experts[kMostActive];               ///< ids of the active experts
  std::int16_t pairs[kMostActive * kMostVectors];  ///< of each of them and each vector, or -1
};
static_assert(sizeof(RingBlock) <= kRingStatic);

/// The item whose weights a stage has. Only the lane that will hand the stage back reads it.
__device__ inline RingItem item_of_stage(const RingBlock& block, int stage, int lane) {
  RingItem item{};
  if (lane == 0) item = block.stage_items[stage];
  return {__shfl_sync(0xffffffffU, item.active, 0), __shfl_sync(0xffffffffU, item.tile, 0)};
}

/// Items that blocks claim: with experts on inputs of their own all experts of a tile together, so that
/// nothing has to be added between blocks.
template <Experts kExperts>
__device__ inline std::uint32_t claims_of(const Geometry& geometry, int actives) {
  return static_cast<std::uint32_t>(kExperts == Experts::own_input ? geometry.tiles
                                                                   : actives * geometry.tiles);
}

/// The warp that fills. A block's first item goes by its number, the others to whoever comes first: blocks
/// that start late or share a multiprocessor take fewer. Which block takes a tile changes nothing of its
/// result.
template <WeightFormat kFormat, Experts kExperts>
class RingFiller {
 public:
  /// @param most_under_way stages that are asked for and have not come, at most.
  __device__ RingFiller(const Geometry& geometry, const CUtensorMap& map, const Ring& ring, RingBlock& block,
                        int most_under_way, int lane)
      : geometry_(geometry),
        map_(map),
        ring_(ring),
        block_(block),
        most_under_way_(most_under_way),
        lane_(lane) {}

  /// @param claimed how many items were claimed beyond the blocks' first ones; zero again when all blocks are
  /// done.
  __device__ void run(std::uint32_t* claimed, int actives) {
    const std::uint32_t claims = claims_of<kExperts>(geometry_, actives);
    std::uint32_t next = blockIdx.x;
    while (true) {
      const std::uint32_t now = __shfl_sync(0xffffffffU, next, 0);
      if (now >= claims) break;
      if constexpr (kExperts == Experts::own_input) {
        for (int active = 0; active < actives; ++active) {
          const bool last = active + 1 == actives;
          ask({active, static_cast<int>(now)}, [&] {
            if (last) next = claim(claimed, claims);
          });
        }
      } else {
        ask({static_cast<int>(now) / geometry_.tiles, static_cast<int>(now) % geometry_.tiles},
            [&] { next = claim(claimed, claims); });
      }
    }
    wait_for(ring_.empty + place_.index, place_.round ^ 1U);
    if (lane_ == 0) {
      block_.stage_items[place_.index] = {0, -1};
      arrive_at(ring_.full + place_.index);
    }
  }

 private:
  /// Every item that is asked for brings one claim, successful or not: `claims` in all, after which the
  /// counter wraps.
  __device__ std::uint32_t claim(std::uint32_t* claimed, std::uint32_t claims) const {
    return lane_ == 0 ? gridDim.x + atomicInc(claimed, claims - 1) : 0;
  }

  /// @param before_last called before the last stage is asked for: a claim takes about as long as a stage.
  template <class Function>
  __device__ void ask(const RingItem& item, const Function& before_last) {
    const int expert = kExperts == Experts::none ? 0 : block_.experts[item.active];
    const unsigned char* const source =
        geometry_.data + static_cast<std::size_t>(expert) * geometry_.expert_bytes +
        static_cast<std::size_t>(item.tile) * geometry_.units * unit_bytes(kFormat);
    const int step =
        expert * map_expert_steps(geometry_.order, geometry_.rows) + map_steps(geometry_.order, item.tile);
    for (int unit = 0; unit < geometry_.units; unit += kRingWarps) {
      if (unit + kRingWarps >= geometry_.units) before_last();
      if (under_way_ < most_under_way_) {
        ++under_way_;
      } else {
        wait_for(ring_.full + landed_.index, landed_.round);
        landed_.next(ring_.count);
      }
      wait_for(ring_.empty + place_.index, place_.round ^ 1U);
      if (lane_ == 0) {
        block_.stage_items[place_.index] = item;
        unsigned char* const to = ring_.stages + place_.index * stage_bytes(kFormat);
        if constexpr (kFormat == WeightFormat::bf16)
          fill_stage(map_, to, ring_.full + place_.index, step, unit);
        else
          fill_stage<kFormat>(source, to, ring_.full + place_.index, unit, geometry_.units);
      }
      __syncwarp();
      place_.next(ring_.count);
    }
  }

  const Geometry& geometry_;
  const CUtensorMap& map_;  ///< BF16
  const Ring& ring_;
  RingBlock& block_;
  RingPlace place_, landed_;
  int most_under_way_, under_way_ = 0;
  int lane_;
};

}  // namespace sparkmpi::kernels::inference::gpu
