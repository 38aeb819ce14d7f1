#pragma once
// The product kernel of devices with bulk copies: one or two persistent blocks a multiprocessor with three
// kinds of warps. One fills a ring with weights, eight multiply (mma.sync), each a part of a tile's columns,
// and one adds their sums and hands them to outputs.cuh, so that neither the memory nor the products wait for
// a tile's end.
//
// From the predecessor's end to the first product the memory is soon idle. So what is read then is read at
// once, by whoever has nothing else to do: vectors by a bulk copy, the norm by the warp that finishes.
//
// Successors are released at once. Beside long products their blocks find no room before one of this kernel's
// ends, and then fill their rings while its other blocks still work: a kernel whose rings were filled earlier
// would have taken that bandwidth from this one, and leave the memory idle when this one ends. Short ones,
// whose rings hold their whole tile, leave them room (ring_choice.hpp).

#include "kernels/inference/cuda/linear/ring_filler.cuh"

namespace sparkmpi::kernels::inference::gpu {

inline constexpr int kRingThreads = (kRingWarps + 2) * 32;

/// The barrier of the warps that multiply.
__device__ inline void join_multiplying_warps() {
  asm volatile("bar.sync 1, %0;" ::"n"(kRingWarps * 32) : "memory");
}

/// The vectors that a block needs: with experts on inputs of their own those of all pairs.
template <Experts kExperts, class Output>
constexpr int input_rows(const ProductArguments<Output>& arguments) {
  return kExperts == Experts::own_input ? arguments.vectors * arguments.chosen : arguments.vectors;
}

/// Whether a bulk copy brings the vectors, as they are and without zeros behind them: BF16 matrices in rings
/// have whole units (weight_map.hpp).
constexpr bool copies_vectors(WeightFormat format) {
  return format == WeightFormat::bf16;
}
template <Experts kExperts, class Output>
__device__ inline void copy_vectors(const ProductArguments<Output>& arguments, RingBlock& block,
                                    unsigned char* x, int lane) {
  using namespace ::cuda::ptx;
  const int rows = input_rows<kExperts>(arguments);
  const auto bytes = static_cast<std::uint32_t>(arguments.geometry.columns) * 2;
  if (lane == 0)
    mbarrier_arrive_expect_tx(sem_release, scope_cta, space_shared, &block.vectors_full,
                              bytes * static_cast<std::uint32_t>(rows));
  __syncwarp();
  for (int row = lane; row < rows; row += 32)
    cp_async_bulk(space_cluster, space_global, x + static_cast<std::size_t>(row) * arguments.vector_bytes,
                  arguments.input.x + static_cast<std::size_t>(row) * arguments.input.stride, bytes,
                  &block.vectors_full);
}

template <WeightFormat kFormat, Experts kExperts, class Output>
__device__ inline void multiply_items(const ProductArguments<Output>& arguments, const Ring& ring,
                                      RingBlock& block, float* sums, unsigned char* x, int warp, int lane) {
  const Geometry& geometry = arguments.geometry;
  RingPlace from, to;
  if constexpr (copies_vectors(kFormat)) {
    wait_for(&block.vectors_full, 0);
  } else {
    load_vectors<kFormat, kRingWarps * 32, Experts::none>(arguments, input_rows<kExperts>(arguments),
                                                          Item{0, 0, 0}, x);
    join_multiplying_warps();
  }
  while (true) {
    wait_for(ring.full + from.index, from.round);
    const RingItem item = item_of_stage(block, from.index, lane);
    if (item.tile < 0) return;
    constexpr int kChains = kFormat == WeightFormat::mxfp4 ? 1 : 2;
    float tile_sums[1][kChains][4] = {};
    // Lanes of absent vectors read another one's; their results go nowhere.
    const auto row_of = [&](int index) {
      const int vector = index < arguments.vectors ? index : 0;
      if constexpr (kExperts != Experts::own_input) return vector;
      return max(0, static_cast<int>(block.pairs[item.active * kMostVectors + vector]));
    };
    const unsigned char* const lane_x = x + row_of(lane / 4) * arguments.vector_bytes + lane % 4 * 16;
    const UnitSums<kFormat> unit_sums(x, arguments.vector_bytes, geometry.units, lane, row_of);
    // Turned with the tile, so that no warp always has the longer share.
    const int share = (warp + item.tile) % kRingWarps;
#pragma unroll 1
    for (int unit = share; unit < geometry.units + share; unit += kRingWarps) {
      wait_for(ring.full + from.index, from.round);
      if (unit < geometry.units)
        multiply_unit<kFormat, 1, takes_raised_input(kFormat), kChains, true>(
            tile_sums, ring.stages + from.index * stage_bytes(kFormat) + share * unit_bytes(kFormat),
            lane_x + unit * unit_columns(kFormat) * 2, 0, lane, unit_sums.of(unit));
      __syncwarp();
      if (lane == 0) arrive_at(ring.empty + from.index);
      from.next(ring.count);
    }
    wait_for(block.sums_empty + to.index, to.round ^ 1U);
    float* const buffer = sums + to.index * kRingWarps * 128;
    float(&all)[4] = tile_sums[0][0];
#pragma unroll
    for (int chain = 1; chain < kChains; ++chain) {
#pragma unroll
      for (int i = 0; i < 4; ++i) all[i] += tile_sums[0][chain][i];
    }
    leave_sums(all, buffer, warp, lane);
    arrive_at(block.sums_full + to.index);
    to.next(kSumBuffers);
  }
}

/// add_sums() of the next tile, when it is there.
__device__ inline void take_sums(float (&values)[4], const float* sums, RingBlock& block, RingPlace& from,
                                 int lane) {
  wait_for(block.sums_full + from.index, from.round);
  add_sums<kRingWarps>(values, sums + from.index * kRingWarps * 128, lane);
  arrive_at(block.sums_empty + from.index);
  from.next(kSumBuffers);
}

template <WeightFormat kFormat, Experts kExperts, class Output>
__device__ inline void finish_items(const ProductArguments<Output>& arguments, int actives, const Ring& ring,
                                    RingBlock& block, const float* sums, int lane) {
  const Geometry& geometry = arguments.geometry;
  const float norm = read_norm(arguments.input, 0, arguments.vectors, geometry.columns, lane);
  RunningBest best;
  RingPlace stage, from;
  float together[4] = {};
  while (true) {
    wait_for(ring.full + stage.index, stage.round);
    const RingItem item = item_of_stage(block, stage.index, lane);
    if (item.tile < 0) break;
    TilePlace place = tile_place(geometry.order, geometry.rows, item.tile, arguments.vectors, lane);
    place.pair = place.vector;
    int expert_rows = 0;
    if constexpr (kExperts != Experts::none) {
      expert_rows = block.experts[item.active] * geometry.rows;
      place.pair =
          place.vector < arguments.vectors ? block.pairs[item.active * kMostVectors + place.vector] : -1;
    }
    TileOperands operands = read_operands(arguments.output, place, expert_rows);
    float scales[4] = {1, 1, 1, 1};
    if constexpr (kFormat == WeightFormat::fp8_e4m3) {
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        if (place.valid[j]) scales[j] = kRaisedFp8 * __ldg(arguments.row_scales + expert_rows + place.row[j]);
      }
    }
    float weight = 0;
    if constexpr (kExperts == Experts::own_input)
      weight = place.pair < 0 ? 0.0F : __ldcg(arguments.pair_weights + place.pair);
    for (int unit = 0; unit < geometry.units; unit += kRingWarps) {
      wait_for(ring.full + stage.index, stage.round);
      if (lane == 0) arrive_at(ring.empty + stage.index);
      stage.next(ring.count);
    }
    float values[4];
    take_sums(values, sums, block, from, lane);
#pragma unroll
    for (int j = 0; j < 4; ++j) values[j] = place.valid[j] ? values[j] * scales[j] * norm : 0.0F;
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
    }
    finish(arguments.output, place, values, operands, best);
  }
  if constexpr (std::is_same_v<Output, ArgMaxOutput>) {
    best.join_lanes();
    leave_best(arguments, best, lane);
  }
}

template <WeightFormat kFormat, Experts kExperts, class Output>
__device__ inline void multiply_by_ring(const ProductArguments<Output>& arguments, const CUtensorMap& map,
                                        int stages, int under_way, std::uint32_t* claimed,
                                        unsigned char* shared) {
  __shared__ RingBlock block;
  float* const sums = reinterpret_cast<float*>(shared + stages * stage_bytes(kFormat));
  unsigned char* const x = reinterpret_cast<unsigned char*>(sums) + kRingSums;
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32;
  const Geometry& geometry = arguments.geometry;
  const Ring ring{shared, block.full, block.empty, stages};

  if (thread == 0) {
    for (int i = 0; i < stages; ++i) {
      ::cuda::ptx::mbarrier_init(block.full + i, 1);
      ::cuda::ptx::mbarrier_init(block.empty + i, kRingWarps + 1);
    }
    for (int i = 0; i < kSumBuffers; ++i) {
      ::cuda::ptx::mbarrier_init(block.sums_full + i, kRingWarps * 32);
      ::cuda::ptx::mbarrier_init(block.sums_empty + i, 32);
    }
    ::cuda::ptx::mbarrier_init(&block.vectors_full, 1);
    ::cuda::ptx::fence_mbarrier_init(::cuda::ptx::sem_release, ::cuda::ptx::scope_cluster);
  }
  int actives = 1;
  if constexpr (kExperts == Experts::one_input) await_predecessor();
  release_successor();
  if constexpr (kExperts != Experts::none) {
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
    RingFiller<kFormat, kExperts>(geometry, map, ring, block, under_way, lane).run(claimed, actives);
    return;
  }
  if constexpr (kExperts != Experts::one_input) {
    if (warp > kRingWarps || !copies_vectors(kFormat)) await_predecessor();
  }
  if (warp < kRingWarps) {
    multiply_items<kFormat, kExperts>(arguments, ring, block, sums, x, warp, lane);
  } else {
    if constexpr (copies_vectors(kFormat)) copy_vectors<kExperts>(arguments, block, x, lane);
    finish_items<kFormat, kExperts>(arguments, actives, ring, block, sums, lane);
  }
}

template <WeightFormat kFormat, Experts kExperts, class Output>
__global__ void __launch_bounds__(kRingThreads, kMostBlocks)
    ring_product_kernel([[maybe_unused]] const __grid_constant__ ProductArguments<Output> arguments,
                        [[maybe_unused]] const __grid_constant__ CUtensorMap map, [[maybe_unused]] int stages,
                        [[maybe_unused]] int under_way, [[maybe_unused]] std::uint32_t* claimed) {
#if __CUDA_ARCH__ >= 900
  // Arrays of one name share one alignment: not `shared`, as the other kernels call theirs.
  extern __shared__ __align__(kStageAlign) unsigned char ring_memory[];
  multiply_by_ring<kFormat, kExperts>(arguments, map, stages, under_way, claimed, ring_memory);
#endif
}

}  // namespace sparkmpi::kernels::inference::gpu
