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

/// Items of a block, in an order that leaves as little as possible to be added between blocks: with experts on
/// inputs of their own all experts of a tile, else tiles of one slice (of one expert) after the other.
template <Experts kExperts>
class ItemOrder {
 public:
  __device__ ItemOrder(const Geometry& geometry, int actives) : geometry_(geometry), actives_(actives) {
    const long long whole = kExperts == Experts::own_input
                                ? geometry.tiles
                                : static_cast<long long>(actives) * geometry.slices * geometry.tiles;
    const int each = kExperts == Experts::own_input ? actives : 1;
    begin_ = static_cast<int>(whole * blockIdx.x / gridDim.x) * each;
    end_ = static_cast<int>(whole * (blockIdx.x + 1) / gridDim.x) * each;
  }
  __device__ int begin() const { return begin_; }
  __device__ int end() const { return end_; }
  __device__ int actives() const { return actives_; }
  __device__ Item first() const {
    if constexpr (kExperts == Experts::own_input) return {begin_ % actives_, 0, begin_ / actives_};
    return item_at(geometry_, begin_);
  }
  __device__ void next(Item& item) const {
    if constexpr (kExperts == Experts::own_input) {
      if (++item.active < actives_) return;
      item.active = 0;
      ++item.tile;
    } else {
      advance(geometry_, item, 1);
    }
  }
  __device__ int first_unit(const Item& item) const { return item.slice * geometry_.slice_units; }
  __device__ int last_unit(const Item& item) const {
    return min(first_unit(item) + geometry_.slice_units, geometry_.units);
  }

 private:
  const Geometry& geometry_;
  int actives_, begin_, end_;
};

/// What the warps of a block share.
struct RingBlock {
  std::uint64_t full[kMostStages], empty[kMostStages];
  std::uint64_t sums_full[kSumBuffers], sums_empty[kSumBuffers];
  std::int32_t experts[kMostActive];                   ///< ids of the active experts
  std::int16_t pairs[kMostActive * kMostVectors];      ///< of each of them and each vector, or -1
};

template <WeightFormat kFormat, Experts kExperts>
__device__ inline void fill_ring(const Geometry& geometry, const ItemOrder<kExperts>& order, const Ring& ring,
                                 const std::int32_t* experts, int lane) {
  RingPlace place;
  Item item = order.first();
  for (int index = order.begin(); index < order.end(); ++index, order.next(item)) {
    const unsigned char* source = geometry.data;
    if constexpr (kExperts != Experts::none)
      source += static_cast<std::size_t>(experts[item.active]) * geometry.expert_bytes;
    int rows = kTileRows;
    if constexpr (kFormat == WeightFormat::bf16) {
      if (geometry.order == RowOrder::plain) rows = min(rows, geometry.rows - item.tile * kTileRows);
      const int row = logical_row(geometry.order, geometry.rows, item.tile, min(lane, rows - 1));
      source += static_cast<std::size_t>(row) * geometry.columns * 2;
    } else {
      source += static_cast<std::size_t>(item.tile) * geometry.units * unit_bytes(kFormat);
    }
    const int last = order.last_unit(item);
    for (int unit = order.first_unit(item); unit < last; unit += kRingWarps, place.next(ring.count)) {
      wait_for(ring.empty + place.index, place.round ^ 1U);
      fill_stage<kFormat>(geometry, ring.stages + place.index * stage_bytes(kFormat), ring.full + place.index,
                          source, rows, unit, last, lane);
    }
  }
}

/// The barrier of the warps that multiply.
__device__ inline void join_multiplying_warps() {
  asm volatile("bar.sync 1, %0;" ::"n"(kRingWarps * 32) : "memory");
}

template <WeightFormat kFormat, Experts kExperts, class Output>
__device__ inline void multiply_items(const ProductArguments<Output>& arguments,
                                      const ItemOrder<kExperts>& order, const Ring& ring, RingBlock& block,
                                      float* sums, unsigned char* x, float* norms, int warp, int lane) {
  const Geometry& geometry = arguments.geometry;
  const int vector = lane / 4 < arguments.vectors ? lane / 4 : 0;
  int loaded = -1;
  RingPlace from, to;
  Item item = order.first();
  if constexpr (kExperts == Experts::own_input) {
    load_vectors<kFormat, kRingWarps * 32, Experts::none>(arguments, arguments.vectors * arguments.chosen, item, x);
    join_multiplying_warps();
    read_norms<kRingWarps>(arguments.input, arguments.vectors, geometry.columns, warp, lane, norms);
  }
  for (int index = order.begin(); index < order.end(); ++index, order.next(item)) {
    if (kExperts != Experts::own_input && item.slice != loaded) {
      join_multiplying_warps();
      load_vectors<kFormat, kRingWarps * 32, kExperts>(arguments, arguments.vectors, item, x);
      join_multiplying_warps();
      // Needed at the end of a tile, behind its barrier.
      if (loaded < 0)
        read_norms<kRingWarps>(arguments.input, arguments.vectors, geometry.columns, warp, lane, norms);
      loaded = item.slice;
    }
    // Lanes of absent vectors read another one's; their results go nowhere.
    int row = vector;
    if constexpr (kExperts == Experts::own_input)
      row = max(0, static_cast<int>(block.pairs[item.active * kMostVectors + vector]));
    const unsigned char* const lane_x = x + row * arguments.vector_bytes + lane % 4 * 16;
    const int units = order.last_unit(item) - order.first_unit(item);
    // Turned with the tile, so that no warp always has the longer share.
    const int share = (warp + item.tile) % kRingWarps;
    float tile_sums[1][2][4] = {};
#pragma unroll 1
    for (int unit = share; unit < units + share; unit += kRingWarps, from.next(ring.count)) {
      wait_for(ring.full + from.index, from.round);
      if (unit < units)
        multiply_unit<kFormat, 1, takes_raised_input(kFormat), 2, kRingRowBytes>(
            tile_sums, ring.stages + from.index * stage_bytes(kFormat) + unit_place<kFormat>(share),
            lane_x + unit * unit_columns(kFormat) * 2, 0, lane);
      __syncwarp();
      if (lane == 0) arrive_at(ring.empty + from.index);
    }
    wait_for(block.sums_empty + to.index, to.round ^ 1U);
    float* const buffer = sums + to.index * kRingWarps * 128;
    float2* const mine = reinterpret_cast<float2*>(buffer + warp * 128 + lane / 4 * 8 + lane % 4 * 2);
    const float(&a)[4] = tile_sums[0][0], (&b)[4] = tile_sums[0][1];
    mine[0] = {a[0] + b[0], a[1] + b[1]};
    mine[32] = {a[2] + b[2], a[3] + b[3]};
    __syncwarp();
    if (lane == 0) arrive_at(block.sums_full + to.index);
    to.next(kSumBuffers);
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
__device__ inline void finish_items(const ProductArguments<Output>& arguments,
                                    const ItemOrder<kExperts>& order, RingBlock& block, const float* sums,
                                    const float* norms, int lane) {
  const Geometry& geometry = arguments.geometry;
  RunningBest best;
  RingPlace from;
  float together[4] = {};
  Item item = order.first();
  for (int index = order.begin(); index < order.end(); ++index, order.next(item)) {
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
      if (item.active + 1 < order.actives()) continue;
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
    ring_product_kernel(const __grid_constant__ ProductArguments<Output> arguments, int stages) {
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

  const ItemOrder<kExperts> order(geometry, actives);
  if (warp == kRingWarps) {
    fill_ring<kFormat>(geometry, order, ring, block.experts, lane);
    release_successor();
    return;
  }
  if constexpr (kExperts == Experts::none) await_predecessor();
  if (warp < kRingWarps) {
    multiply_items<kFormat>(arguments, order, ring, block, sums, x, norms, warp, lane);
  } else {
    finish_items<kFormat>(arguments, order, block, sums, norms, lane);
  }
}

}  // namespace sparkmpi::kernels::inference::gpu
