#pragma once
// The product kernel of devices with bulk copies: one persistent block a multiprocessor with three kinds of
// warps. One fills a ring with weights, eight multiply (mma.sync), each a part of a tile's columns, and one
// adds their sums and hands them to outputs.cuh, so that neither the memory nor the products wait for a
// tile's end.
//
// Successors are released when the last copy has been asked for: their blocks then fill their own rings while
// this kernel works off what is in its. Released earlier they would fill them at this kernel's expense and
// leave the memory idle when it ends; later, it would be idle until they have started.

#include "kernels/inference/cuda/linear/product_kernel.cuh"
#include "kernels/inference/cuda/linear/weight_ring.cuh"

namespace sparkmpi::kernels::inference::gpu {

inline constexpr int kRingThreads = (kRingWarps + 2) * 32;
inline constexpr int kSumBuffers = 2;
inline constexpr std::uint32_t kRingSums = kSumBuffers * kRingWarps * 128 * sizeof(float);
inline constexpr int kMostActive = kMostVectors * kMostChosen;

/// Words in device memory by which the blocks of one launch share its items, and its successor sees how far it
/// is. All are zero between launches.
struct ProductTurn {
  std::uint32_t claimed = 0;  ///< items taken, and by each block the one that there was not
  std::uint32_t asking = 0;   ///< blocks that have not asked for all their weights
};

/// What the warps of a block share.
struct RingBlock {
  std::uint64_t full[kMostStages], empty[kMostStages];
  std::uint64_t sums_full[kSumBuffers], sums_empty[kSumBuffers];
  Item stage_items[kMostStages];                   ///< whose weights a stage has; tile -1: no more
  Item sum_items[kSumBuffers];                     ///< whose sums a buffer has
  std::int32_t experts[kMostActive];               ///< ids of the active experts
  std::int16_t pairs[kMostActive * kMostVectors];  ///< of each of them and each vector, or -1
};

__device__ inline int first_unit(const Geometry& geometry, const Item& item) {
  return item.slice * geometry.slice_units;
}
__device__ inline int last_unit(const Geometry& geometry, const Item& item) {
  return min(first_unit(geometry, item) + geometry.slice_units, geometry.units);
}

/// Items that blocks claim: with experts on inputs of their own all experts of a tile together, so that nothing
/// has to be added between blocks.
template <Experts kExperts>
__device__ inline std::uint32_t claims_of(const Geometry& geometry, int actives) {
  return static_cast<std::uint32_t>(kExperts == Experts::own_input
                                        ? geometry.tiles
                                        : actives * geometry.slices * geometry.tiles);
}

template <WeightFormat kFormat, Experts kExperts>
class RingFiller {
 public:
  __device__ RingFiller(const Geometry& geometry, const Ring& ring, RingBlock& block, int lane)
      : geometry_(geometry), ring_(ring), block_(block), lane_(lane) {}

  __device__ void run(ProductTurn* turn, int actives) {
    const std::uint32_t claims = claims_of<kExperts>(geometry_, actives);
    std::uint32_t claimed = blockIdx.x;
    while (true) {
      const std::uint32_t now = __shfl_sync(0xffffffffU, claimed, 0);
      if (now >= claims) break;
      if constexpr (kExperts == Experts::own_input) {
        for (int active = 0; active < actives; ++active) {
          const bool last = active + 1 == actives;
          ask({active, 0, static_cast<int>(now)}, [&] {
            if (last) claimed = claim(turn, claims);
          });
        }
      } else {
        ask(item_at(geometry_, static_cast<int>(now)), [&] { claimed = claim(turn, claims); });
      }
    }
    wait_for(ring_.empty + place_.index, place_.round ^ 1U);
    if (lane_ == 0) {
      block_.stage_items[place_.index] = {0, 0, -1};
      arrive_at(ring_.full + place_.index);
    }
  }

 private:
  __device__ std::uint32_t claim(ProductTurn* turn, std::uint32_t claims) const {
    return lane_ == 0 ? gridDim.x + atomicInc(&turn->claimed, claims - 1) : 0;
  }

  /// @param before_last called before the last stage is asked for.
  template <class Function>
  __device__ void ask(const Item& item, const Function& before_last) {
    const unsigned char* source = geometry_.data;
    if constexpr (kExperts != Experts::none)
      source += static_cast<std::size_t>(block_.experts[item.active]) * geometry_.expert_bytes;
    int rows = kTileRows;
    if constexpr (kFormat == WeightFormat::bf16) {
      if (geometry_.order == RowOrder::plain) rows = min(rows, geometry_.rows - item.tile * kTileRows);
      const int row = logical_row(geometry_.order, geometry_.rows, item.tile, min(lane_, rows - 1));
      source += static_cast<std::size_t>(row) * geometry_.columns * 2;
    } else {
      source += static_cast<std::size_t>(item.tile) * geometry_.units * unit_bytes(kFormat);
    }
    const int last = last_unit(geometry_, item);
    for (int unit = first_unit(geometry_, item); unit < last; unit += kRingWarps) {
      if (unit + kRingWarps >= last) before_last();
      wait_for(ring_.empty + place_.index, place_.round ^ 1U);
      if (lane_ == 0) block_.stage_items[place_.index] = item;
      fill_stage<kFormat>(geometry_, ring_.stages + place_.index * stage_bytes(kFormat),
                          ring_.full + place_.index, source, rows, unit, last, lane_);
      place_.next(ring_.count);
    }
  }

  const Geometry& geometry_;
  const Ring& ring_;
  RingBlock& block_;
  RingPlace place_;
  int lane_;
};

/// The barrier of the warps that multiply.
__device__ inline void join_multiplying_warps() {
  asm volatile("bar.sync 1, %0;" ::"n"(kRingWarps * 32) : "memory");
}

template <WeightFormat kFormat, Experts kExperts, class Output>
__device__ inline void multiply_items(const ProductArguments<Output>& arguments, const Ring& ring,
                                      RingBlock& block, float* sums, unsigned char* x, float* norms, int warp,
                                      int lane) {
  const Geometry& geometry = arguments.geometry;
  const int vector = lane / 4 < arguments.vectors ? lane / 4 : 0;
  RingPlace from, to;
  int loaded = 0;
  const auto load = [&](const Item& item) {
    join_multiplying_warps();
    if constexpr (kExperts == Experts::own_input) {
      load_vectors<kFormat, kRingWarps * 32, Experts::none>(arguments, arguments.vectors * arguments.chosen,
                                                            item, x);
    } else {
      load_vectors<kFormat, kRingWarps * 32, kExperts>(arguments, arguments.vectors, item, x);
    }
    join_multiplying_warps();
  };
  load({0, 0, 0});
  // Needed at the end of a tile, behind its barrier.
  read_norms<kRingWarps>(arguments.input, arguments.vectors, geometry.columns, warp, lane, norms);
  while (true) {
    wait_for(ring.full + from.index, from.round);
    const Item item = block.stage_items[from.index];
    if (item.tile >= 0) {
      if (item.slice != loaded) {
        load(item);
        loaded = item.slice;
      }
    }
    float tile_sums[1][2][4] = {};
    if (item.tile >= 0) {
      // Lanes of absent vectors read another one's; their results go nowhere.
      int row = vector;
      if constexpr (kExperts == Experts::own_input)
        row = max(0, static_cast<int>(block.pairs[item.active * kMostVectors + vector]));
      const unsigned char* const lane_x = x + row * arguments.vector_bytes + lane % 4 * 16;
      const int units = last_unit(geometry, item) - first_unit(geometry, item);
      // Turned with the tile, so that no warp always has the longer share.
      const int share = (warp + item.tile) % kRingWarps;
#pragma unroll 1
      for (int unit = share; unit < units + share; unit += kRingWarps) {
        wait_for(ring.full + from.index, from.round);
        if (unit < units)
          multiply_unit<kFormat, 1, takes_raised_input(kFormat), 2, kRingRowBytes>(
              tile_sums, ring.stages + from.index * stage_bytes(kFormat) + unit_place<kFormat>(share),
              lane_x + unit * unit_columns(kFormat) * 2, 0, lane);
        __syncwarp();
        if (lane == 0) arrive_at(ring.empty + from.index);
        from.next(ring.count);
      }
    }
    wait_for(block.sums_empty + to.index, to.round ^ 1U);
    float* const buffer = sums + to.index * kRingWarps * 128;
    float2* const mine = reinterpret_cast<float2*>(buffer + warp * 128 + lane / 4 * 8 + lane % 4 * 2);
    const float(&a)[4] = tile_sums[0][0], (&b)[4] = tile_sums[0][1];
    mine[0] = {a[0] + b[0], a[1] + b[1]};
    mine[32] = {a[2] + b[2], a[3] + b[3]};
    if (warp == 0 && lane == 0) block.sum_items[to.index] = item;
    __syncwarp();
    if (lane == 0) arrive_at(block.sums_full + to.index);
    to.next(kSumBuffers);
    if (item.tile < 0) return;
  }
}

/// The sums of the warps, row lane / 8 + 4j and vector lane % 8 of the tile.
__device__ inline void take_sums(float (&values)[4], const float* sums, RingBlock& block, RingPlace& from,
                                 int lane) {
  wait_for(block.sums_full + from.index, from.round);
  const float* const buffer = sums + from.index * kRingWarps * 128;
#pragma unroll
  for (int j = 0; j < 4; ++j) values[j] = 0;
#pragma unroll
  for (int w = 0; w < kRingWarps; ++w) {
#pragma unroll
    for (int j = 0; j < 4; ++j) values[j] += buffer[w * 128 + lane + 32 * j];
  }
  __syncwarp();
  if (lane == 0) arrive_at(block.sums_empty + from.index);
  from.next(kSumBuffers);
}

template <WeightFormat kFormat, Experts kExperts, class Output>
__device__ inline void finish_items(const ProductArguments<Output>& arguments, int actives, RingBlock& block,
                                    const float* sums, const float* norms, int lane) {
  const Geometry& geometry = arguments.geometry;
  RunningBest best;
  RingPlace from;
  float together[4] = {};
  while (true) {
    wait_for(block.sums_full + from.index, from.round);
    const Item item = block.sum_items[from.index];
    if (item.tile < 0) break;
    TilePlace place = tile_place(geometry.order, geometry.rows, item.tile, arguments.vectors, lane);
    place.pair = place.vector;
    int expert_rows = 0;
    if constexpr (kExperts != Experts::none) {
      expert_rows = block.experts[item.active] * geometry.rows;
      place.pair = place.vector < arguments.vectors ? block.pairs[item.active * kMostVectors + place.vector] : -1;
    }
    TileOperands operands = read_operands(arguments.output, place, expert_rows);
    float scales[4] = {1, 1, 1, 1};
    if constexpr (kFormat == WeightFormat::fp8_e4m3) {
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        if (place.valid[j])
          scales[j] = kRaisedFp8 * __ldg(arguments.row_scales + expert_rows + place.row[j]);
      }
    }
    float weight = 0;
    if constexpr (kExperts == Experts::own_input)
      weight = place.pair < 0 ? 0.0F : __ldcg(arguments.pair_weights + place.pair);
    float values[4];
    take_sums(values, sums, block, from, lane);
#pragma unroll
    for (int j = 0; j < 4; ++j)
      values[j] = place.valid[j] ? values[j] * scales[j] * norms[place.vector] : 0.0F;
    if constexpr (kExperts == Experts::own_input) {
      // The experts of a tile follow each other here: the last one finishes it.
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        if (weight != 0) together[j] += weight * (values[j] + operands.bias[j]);
        operands.bias[j] = 0;
        values[j] = together[j];
      }
      if (item.active + 1 < actives) continue;
#pragma unroll
      for (int j = 0; j < 4; ++j) together[j] = 0;
    } else {
      const int group_tile = item.active * geometry.tiles + item.tile;
      if (geometry.slices > 1 &&
          !join_parts(arguments, group_tile, item.slice, geometry.slices, lane, values))
        continue;
    }
    finish(arguments.output, place, values, operands, best);
  }
  if constexpr (std::is_same_v<Output, ArgMaxOutput>) {
    best.join_lanes();
    // There may be fewer blocks than parts: the rest hold nothing.
    for (int part = static_cast<int>(blockIdx.x); lane < arguments.vectors && part < arguments.best_parts;
         part += static_cast<int>(gridDim.x)) {
      arguments.output.best[part * arguments.vectors + lane] = best.value;
      arguments.output.row[part * arguments.vectors + lane] = best.row;
      best = RunningBest{};
    }
  }
}

template <WeightFormat kFormat, Experts kExperts, class Output>
__global__ void __launch_bounds__(kRingThreads, 2)
    ring_product_kernel(const __grid_constant__ ProductArguments<Output> arguments, int stages, ProductTurn* turn,
                        const ProductTurn* previous, int start_at) {
  extern __shared__ __align__(128) unsigned char shared[];
  __shared__ RingBlock block;
  __shared__ float norms[kMostVectors];
  float* const sums = reinterpret_cast<float*>(shared + stages * stage_bytes(kFormat));
  unsigned char* const x = reinterpret_cast<unsigned char*>(sums) + kRingSums;
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32;
  const Geometry& geometry = arguments.geometry;
  const Ring ring{shared, block.full, block.empty, stages};

  if (thread == 0) {
    for (int i = 0; i < stages; ++i) {
      ::cuda::ptx::mbarrier_init(block.full + i, 1);
      ::cuda::ptx::mbarrier_init(block.empty + i, kRingWarps);
    }
    for (int i = 0; i < kSumBuffers; ++i) {
      ::cuda::ptx::mbarrier_init(block.sums_full + i, kRingWarps);
      ::cuda::ptx::mbarrier_init(block.sums_empty + i, 1);
    }
    ::cuda::ptx::fence_mbarrier_init(::cuda::ptx::sem_release, ::cuda::ptx::scope_cluster);
  }
  // What a row's last copy leaves of its unit is multiplied by zero: it must not be something else than a
  // number.
  if (kFormat == WeightFormat::bf16 && geometry.columns % 64 != 0) {
    for (int i = thread; i < stages * stage_bytes(kFormat) / 16; i += kRingThreads)
      reinterpret_cast<uint4*>(shared)[i] = uint4{0, 0, 0, 0};
    ::cuda::ptx::fence_proxy_async(::cuda::ptx::space_shared);
  }
  int actives = 1;
  if constexpr (kExperts != Experts::none) {
    await_predecessor();
    actives = __ldcg(arguments.active);
    for (int i = thread; i < actives; i += kRingThreads) block.experts[i] = __ldcg(geometry.experts + i);
    for (int i = thread; i < actives * arguments.vectors; i += kRingThreads) {
      const int active = i / arguments.vectors, vector = i % arguments.vectors;
      block.pairs[active * kMostVectors + vector] =
          static_cast<std::int16_t>(pair_of(arguments.active, active, vector, arguments.chosen));
    }
  }
  __syncthreads();

  if (warp == kRingWarps) {
    if (start_at == 0) release_successor();
    RingFiller<kFormat, kExperts>(geometry, ring, block, lane).run(turn, actives);
    if (start_at == 1) release_successor();
    return;
  }
  if constexpr (kExperts == Experts::none) await_predecessor();
  if (warp < kRingWarps) {
    multiply_items<kFormat, kExperts>(arguments, ring, block, sums, x, norms, warp, lane);
  } else {
    finish_items<kFormat, kExperts>(arguments, actives, block, sums, norms, lane);
  }
}

}  // namespace sparkmpi::kernels::inference::gpu
