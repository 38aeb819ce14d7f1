#pragma once
// The product kernel wherever no ring of bulk copies serves (ring_product_kernel.cuh, ring_choice.hpp): one
// or two persistent blocks a multiprocessor, the warps of a team dividing the columns of each tile among them
// (mma.sync on what weight_stream.cuh brings), their sums added in shared memory, the result handed to
// outputs.cuh. Where the columns are divided among blocks as well (slices, or the experts of a token), sums
// go through the workspace and whoever comes last adds them in a fixed order: results do not depend on
// timing.

#include "kernels/inference/cuda/launch.cuh"
#include "kernels/inference/cuda/linear/outputs.cuh"
#include "kernels/inference/cuda/linear/product_device.hpp"
#include "kernels/inference/cuda/linear/shared_vectors.cuh"
#include "kernels/inference/cuda/linear/weight_stream.cuh"

namespace sparkmpi::kernels::inference::gpu {

enum class Experts : std::uint8_t {
  none,       ///< one matrix
  one_input,  ///< the active experts on the same vectors (gate and up): tiles of each expert are results
  own_input,  ///< each expert on its own vectors (down): results are weighted sums over the experts
};

template <class Output>
struct ProductArguments {
  Geometry geometry;
  const float* row_scales = nullptr;  ///< fp8_e4m3
  VectorInput input;
  int vectors = 0;
  std::uint32_t vector_bytes = 0;        ///< of one vector's slice in shared memory
  const std::int32_t* active = nullptr;  ///< Routing::active, with experts
  const float* pair_weights = nullptr;   ///< Routing::weights, with own_input
  int chosen = 0;
  int best_parts = 0;                 ///< of an ArgMaxOutput
  float* partials = nullptr;          ///< [tile of a group, part, 128]
  std::uint32_t* arrivals = nullptr;  ///< [tile of a group], zero between launches
  Output output;
};

/// A block's teams, each with tiles of its own, so that one's tile end does not stop the other's reading; a
/// team's warps; units in a warp's ring.
struct Shape {
  int teams, warps, stages;
  constexpr int all_warps() const { return teams * warps; }
  constexpr int threads() const { return 32 * all_warps(); }
};
constexpr std::uint32_t ring_bytes(WeightFormat format, Shape shape) {
  return static_cast<std::uint32_t>(shape.all_warps() * shape.stages * unit_bytes(format));
}
constexpr std::uint32_t sums_bytes(Shape shape) {
  return 2U * static_cast<std::uint32_t>(shape.all_warps()) * 128 * sizeof(float);
}

/// The barrier of one team; 0 is the whole block's.
template <int kTeams, int kWarps>
__device__ inline void join_team(int team) {
  if constexpr (kTeams == 1) {
    __syncthreads();
  } else {
    asm volatile("bar.sync %0, %1;" ::"r"(team + 1), "n"(kWarps * 32) : "memory");
  }
}

/// The pair of a vector in an active expert, or -1.
__device__ inline int pair_of(const std::int32_t* active, int index, int vector, int chosen) {
  const int slot = __ldcg(slots_of(active, index) + vector);
  return slot < 0 ? -1 : vector * chosen + slot;
}

/// Copies the vectors' columns of a slice to shared memory, zeros beyond the matrix and for absent vectors of
/// an expert. Many reads are under way at once: beside the weights' each takes a microsecond and more.
template <WeightFormat kFormat, int kThreads, Experts kExperts, class Output>
__device__ inline void load_vectors(const ProductArguments<Output>& arguments, int vectors, const Item& item,
                                    unsigned char* x) {
  const Geometry& geometry = arguments.geometry;
  const int first = item.slice * geometry.slice_units * unit_columns(kFormat);
  constexpr int kAtOnce = 8, kUnitPieces = unit_columns(kFormat) / 8;
  const int pieces = geometry.slice_units * kUnitPieces;
  int row = 0, piece = static_cast<int>(threadIdx.x);
  const std::uint16_t* from = nullptr;
  const auto open_row = [&] {
    int source = row;
    if constexpr (kExperts == Experts::own_input)
      source = pair_of(arguments.active, item.active, row, arguments.chosen);
    from = source < 0 ? nullptr
                      : arguments.input.x + static_cast<std::size_t>(source) * arguments.input.stride + first;
  };
  open_row();
  for (int most = kAtOnce; most == kAtOnce;) {
    uint4 values[kAtOnce];
    std::uint32_t place[kAtOnce];
    [[maybe_unused]] std::uint32_t sum_place[kAtOnce];
    int found = 0;
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) {
      while (piece >= pieces && row < vectors) {
        piece -= pieces;
        if (++row < vectors) open_row();
      }
      values[i] = {};
      if (row >= vectors) continue;
      ++found;
      if (from != nullptr && first + piece * 8 < geometry.columns)
        values[i] = __ldcg(reinterpret_cast<const uint4*>(from + piece * 8));
      place[i] = row * arguments.vector_bytes + piece * 16;
      if constexpr (has_unit_sums(kFormat))
        sum_place[i] = row * arguments.vector_bytes + unit_sums_place(kFormat, geometry.slice_units, row) +
                       piece / kUnitPieces * 4;
      piece += kThreads;
    }
    // A warp adds up its units together; its first lane has the most.
    most = has_unit_sums(kFormat) ? __shfl_sync(0xffffffffU, found, 0) : found;
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) {
      const uint4 columns = raised<kFormat>(values[i]);
      if constexpr (has_unit_sums(kFormat)) {
        static_assert(kUnitPieces == 16 && kThreads % 32 == 0);  // a half warp has a unit
        if (i >= most) continue;
        const float sum = sum_of_unit(columns);
        if (has_sum_of_unit(threadIdx.x % 32) && i < found) *reinterpret_cast<float*>(x + sum_place[i]) = sum;
      }
      if (i < found) *reinterpret_cast<uint4*>(x + place[i]) = columns;
    }
  }
}

/// By a warp: 1/√(mean + ε) of the vector `first_vector` + lane % 8, from its partial sums; beyond the last
/// of `vectors` some other's.
__device__ inline float read_norm(const VectorInput& input, int first_vector, int vectors, int columns,
                                  int lane) {
  if (input.squares == nullptr) return 1;
  const int lanes = vectors == 1 ? 32 : vectors == 2 ? 16 : vectors <= 4 ? 8 : 4;  // that read a vector's
  const float* const squares =
      input.squares + (first_vector + min(lane / lanes, vectors - 1)) * input.square_count;
  constexpr int kAtOnce = 8;
  float sum = 0;
  for (int first = lane % lanes; first < input.square_count; first += lanes * kAtOnce) {
    float values[kAtOnce];
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i)
      values[i] = first + i * lanes < input.square_count ? __ldcg(squares + first + i * lanes) : 0.0F;
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) sum += values[i];
  }
  for (int distance = lanes / 2; distance > 0; distance /= 2)
    sum += __shfl_xor_sync(0xffffffffU, sum, distance);
  sum = __shfl_sync(0xffffffffU, sum, min(lane % 8, vectors - 1) * lanes);
  return rsqrtf(sum / static_cast<float>(columns) + input.eps);
}

/// A warp's sums of a tile (the accumulators of mma.m16n8k16) into the block's buffer, 128 floats a warp.
__device__ inline void leave_sums(const float (&sums)[4], float* buffer, int warp, int lane) {
  float2* const mine = reinterpret_cast<float2*>(buffer + warp * 128 + lane / 4 * 8 + lane % 4 * 2);
  mine[0] = {sums[0], sums[1]};
  mine[32] = {sums[2], sums[3]};
}
/// The sums of all warps: value j is row lane / 8 + 4j and vector lane % 8 of the tile.
template <int kWarps>
__device__ inline void add_sums(float (&values)[4], const float* buffer, int lane) {
#pragma unroll
  for (int j = 0; j < 4; ++j) values[j] = 0;
#pragma unroll
  for (int w = 0; w < kWarps; ++w) {
#pragma unroll
    for (int j = 0; j < 4; ++j) values[j] += buffer[w * 128 + lane + 32 * j];
  }
}

/// A block's best row of each vector, a lane each, as one of the parts that arg_max() compares. There may be
/// fewer blocks than parts: the rest hold nothing.
template <class Output>
__device__ inline void leave_best(const ProductArguments<Output>& arguments, RunningBest best, int lane) {
  for (int part = static_cast<int>(blockIdx.x); lane < arguments.vectors && part < arguments.best_parts;
       part += static_cast<int>(gridDim.x)) {
    arguments.output.best[part * arguments.vectors + lane] = best.value;
    arguments.output.row[part * arguments.vectors + lane] = best.row;
    best = RunningBest{};
  }
}

/// Adds this part of a tile to the workspace. True for the last part's warp, whose values are then the whole
/// sums.
template <class Output>
__device__ inline bool join_parts(const ProductArguments<Output>& arguments, int tile, int part, int parts,
                                  int lane, float (&values)[4]) {
  float* const partials = arguments.partials + static_cast<std::size_t>(tile) * parts * 128;
  const bool exists = lane % 8 < arguments.vectors;
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    if (exists) __stcg(partials + part * 128 + lane + 32 * j, values[j]);
  }
  __threadfence();
  __syncwarp();
  std::uint32_t arrived = 0;
  if (lane == 0) arrived = atomicAdd(arguments.arrivals + tile, 1U);
  if (__shfl_sync(0xffffffffU, arrived, 0) != static_cast<std::uint32_t>(parts - 1)) return false;
  __threadfence();
#pragma unroll
  for (int j = 0; j < 4; ++j) values[j] = 0;
#pragma unroll 2
  for (int other = 0; other < parts; ++other) {
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      if (exists) values[j] += __ldcg(partials + other * 128 + lane + 32 * j);
    }
  }
  if (lane == 0) arguments.arrivals[tile] = 0;
  return true;
}

// The shape in single numbers: nvcc 13.0 writes a host stub that does not compile for a kernel of a
// class-type one.
template <WeightFormat kFormat, int kTeams, int kWarps, int kStages, Experts kExperts, class Output>
__global__ void __launch_bounds__(kTeams* kWarps * 32, 3 - kTeams)
    product_kernel(const __grid_constant__ ProductArguments<Output> arguments) {
  constexpr Shape kShape{kTeams, kWarps, kStages};
  extern __shared__ __align__(128) unsigned char shared[];
  __shared__ float norms[kTeams][kMostVectors];
  float* const sums = reinterpret_cast<float*>(shared + ring_bytes(kFormat, kShape));
  unsigned char* const x = reinterpret_cast<unsigned char*>(sums) + sums_bytes(kShape);
  const int lane = static_cast<int>(threadIdx.x) % 32, block_warp = static_cast<int>(threadIdx.x) / 32;
  const int team = block_warp / kWarps, warp = block_warp % kWarps;
  const Geometry& geometry = arguments.geometry;

  WeightStream<kFormat, kWarps, kStages, kTeams> stream(
      geometry, shared + block_warp * kStages * unit_bytes(kFormat), warp, lane);
  int actives = 1;
  if constexpr (kExperts != Experts::none) {
    await_predecessor();
    actives = __ldcg(arguments.active);
  }
  const long long items = static_cast<long long>(actives) * geometry.slices * geometry.tiles;
  const int begin = static_cast<int>(items * blockIdx.x / gridDim.x);
  const int end = static_cast<int>(items * (blockIdx.x + 1) / gridDim.x);
  stream.start(begin + team, end);
  if constexpr (kExperts == Experts::none) await_predecessor();
  release_successor();

  // Lanes of absent vectors read the first one's; their results go nowhere.
  const auto row_of = [&](int vector) { return vector < arguments.vectors ? vector : 0; };
  const unsigned char* const lane_x = x + row_of(lane / 4) * arguments.vector_bytes + lane % 4 * 16;
  const UnitSums<kFormat> unit_sums(x, arguments.vector_bytes, geometry.slice_units, lane, row_of);
  RunningBest best;
  int loaded = -1;
  int index = begin + team;
  Item item = item_at(geometry, index);
  // A run of items with the same columns (and expert) after the other: the whole block changes its vectors at
  // once.
  for (int run = begin, run_end; run < end; run = run_end) {
    run_end = min(end, (run / geometry.tiles + 1) * geometry.tiles);
    const Item first = item_at(geometry, run);
    const int wanted =
        kExperts == Experts::own_input ? first.active * geometry.slices + first.slice : first.slice;
    if (wanted != loaded) {
      __syncthreads();
      load_vectors<kFormat, kShape.threads(), kExperts>(arguments, arguments.vectors, first, x);
      __syncthreads();
      // Needed at the end of a tile, behind its barrier.
      for (int v = warp; loaded < 0 && v < arguments.vectors; v += kWarps) {
        const float norm = read_norm(arguments.input, v, 1, geometry.columns, lane);
        if (lane == 0) norms[team][v] = norm;
      }
      loaded = wanted;
    }
    for (; index < run_end; index += kTeams, advance(geometry, item, kTeams)) {
      const bool finishes = warp == index / kTeams % kWarps;
      TilePlace place;
      TileOperands operands;
      int expert_rows = 0;
      if (finishes) {
        place = tile_place(geometry.order, geometry.rows, item.tile, arguments.vectors, lane);
        place.pair = place.vector;
        if constexpr (kExperts != Experts::none) {
          expert_rows = __ldcg(geometry.experts + item.active) * geometry.rows;
          place.pair = place.vector < arguments.vectors
                           ? pair_of(arguments.active, item.active, place.vector, arguments.chosen)
                           : -1;
        }
        operands = read_operands(arguments.output, place, expert_rows);
      }

      float tile_sums[1][1][4] = {};
      const UnitRange range = units_of_warp<kWarps>(geometry, item, warp);
      const int first_unit = item.slice * geometry.slice_units;
#pragma unroll 1
      for (int unit = range.first; unit < range.end; unit += kWarps) {
        const unsigned char* const bytes = stream.next();
        multiply_unit<kFormat, 1, takes_raised_input(kFormat)>(
            tile_sums, bytes, lane_x + (unit - first_unit) * unit_columns(kFormat) * 2, 0, lane,
            unit_sums.of(unit - first_unit));
      }
      float* const buffer = sums + (team * 2 + index / kTeams % 2) * kWarps * 128;
      leave_sums(tile_sums[0][0], buffer, warp, lane);
      join_team<kTeams, kWarps>(team);
      if (!finishes) continue;

      float values[4];
      add_sums<kWarps>(values, buffer, lane);
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        if (!place.valid[j]) values[j] = 0;
        if (kFormat == WeightFormat::fp8_e4m3 && place.valid[j])
          values[j] *= kRaisedFp8 * __ldg(arguments.row_scales + expert_rows + place.row[j]);
        if (place.valid[j]) values[j] *= norms[team][place.vector];
      }
      if constexpr (kExperts == Experts::own_input) {
        const float weight = place.pair < 0 ? 0.0F : __ldcg(arguments.pair_weights + place.pair);
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          values[j] = weight == 0 ? 0.0F : weight * (values[j] + (item.slice == 0 ? operands.bias[j] : 0.0F));
          operands.bias[j] = 0;
        }
      }
      const int parts = kExperts == Experts::own_input ? actives * geometry.slices : geometry.slices;
      const int group_tile = (kExperts == Experts::one_input ? item.active * geometry.tiles : 0) + item.tile;
      if (parts > 1 && !join_parts(arguments, group_tile, wanted, parts, lane, values)) continue;
      finish(arguments.output, place, values, operands, best);
    }
  }

  if constexpr (std::is_same_v<Output, ArgMaxOutput>) {
    __syncthreads();
    best.join_lanes();
    float* const best_values = sums;
    auto* const best_rows = reinterpret_cast<std::int32_t*>(sums + kShape.all_warps() * 8);
    if (lane < 8) {
      best_values[block_warp * 8 + lane] = best.value;
      best_rows[block_warp * 8 + lane] = best.row;
    }
    __syncthreads();
    if (block_warp == 0 && lane < arguments.vectors) {
      for (int w = 1; w < kShape.all_warps(); ++w)
        best.offer(best_values[w * 8 + lane], best_rows[w * 8 + lane]);
      leave_best(arguments, best, lane);
    }
  }
}

}  // namespace sparkmpi::kernels::inference::gpu
