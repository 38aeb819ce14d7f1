#pragma once
// One warp's way through the weights: a ring of units in shared memory, filled by cp.async some units ahead
// of the arithmetic, across tiles and experts, so that the memory is never waited for at a tile's end.

#include <cstdint>

#include "kernels/inference/cuda/linear/async_copy.cuh"
#include "kernels/inference/cuda/linear/tile_layout.cuh"
#include "kernels/inference/cuda/linear/unpack.cuh"
#include "kernels/inference/cuda/linear/weight_map.hpp"

namespace sparkmpi::kernels::inference::gpu {

/// The work of a launch: items, each one tile of one slice of the columns of one (active) expert, tiles
/// fastest. A block does a run of neighbouring items.
struct Geometry {
  const unsigned char* data = nullptr;
  std::size_t expert_bytes = 0;           ///< 0: a single matrix
  const std::int32_t* experts = nullptr;  ///< ids of the active experts; null: a single matrix
  int rows = 0, columns = 0, tiles = 0, units = 0;
  int slices = 1, slice_units = 0;  ///< units in a slice; the last may have fewer
  RowOrder order = RowOrder::plain;
};

struct Item {
  int active, slice, tile;  ///< active: index of the expert in the list
};
/// The item `steps` after `item` in the order of their indices.
__device__ inline void advance(const Geometry& geometry, Item& item, int steps) {
  item.tile += steps;
  while (item.tile >= geometry.tiles) {
    item.tile -= geometry.tiles;
    if (++item.slice < geometry.slices) continue;
    item.slice = 0;
    ++item.active;
  }
}
__device__ inline Item item_at(const Geometry& geometry, int index) {
  const int column_part = index / geometry.tiles;
  return {column_part / geometry.slices, column_part % geometry.slices, index % geometry.tiles};
}

/// Warp `warp`'s units of an item: first, first + kWarps, … below end. The start turns with the tile, so that
/// no warp always has the longer share.
struct UnitRange {
  int first, end;
};
template <int kWarps>
__device__ inline UnitRange units_of_warp(const Geometry& geometry, const Item& item, int warp) {
  const int begin = item.slice * geometry.slice_units;
  return {begin + (warp + item.tile) % kWarps, min(begin + geometry.slice_units, geometry.units)};
}

/// @tparam kTeams how many streams share a run of items, each taking every kTeams-th.
template <WeightFormat kFormat, int kWarps, int kStages, int kTeams = 1>
class WeightStream {
 public:
  static constexpr int kUnit = unit_bytes(kFormat);

  /// @param ring this warp's kStages units of shared memory.
  __device__ WeightStream(const Geometry& geometry, unsigned char* ring, int warp, int lane)
      : geometry_(geometry), ring_(ring), warp_(warp), lane_(lane) {}

  /// Starts with items first, first + kTeams, … below end, kStages - 1 units ahead.
  __device__ void start(int first, int end) {
    set_items(first, end);
#pragma unroll 1
    for (int i = 0; i < kStages - 1; ++i) request();
  }

  /// Waits for this warp's next unit and asks for the one kStages - 1 further on. The bytes stay until the
  /// next call.
  __device__ const unsigned char* next() {
    wait_copies<kStages - 2>();
    __syncwarp();
    request();
    return take();
  }

  /// The two halves of next(), for blocks that copy something of their own with each unit: asks for a unit
  /// and closes the group of copies; the place of the unit that wait_copies has waited for.
  __device__ void request() {
    if (find_unit()) {
      copy(shared_address(ring_ + write_ * kUnit));
      unit_ += kWarps;
    }
    write_ = write_ + 1 == kStages ? 0 : write_ + 1;
    commit_copies();
  }
  __device__ const unsigned char* take() {
    const unsigned char* const unit = ring_ + read_ * kUnit;
    read_ = read_ + 1 == kStages ? 0 : read_ + 1;
    return unit;
  }

  /// Makes first, first + kTeams, … below end the items, without asking for anything yet.
  __device__ void set_items(int first, int end) {
    left_ = end > first ? (end - first + kTeams - 1) / kTeams : 0;
    item_ = item_at(geometry_, first);
    if (left_ > 0) open();
  }

 private:
  /// Goes on to the next item that has a unit for this warp, if the present one has none left.
  __device__ bool find_unit() {
    while (left_ > 0 && unit_ >= unit_end_) {
      advance(geometry_, item_, kTeams);
      if (--left_ > 0) open();
    }
    return left_ > 0;
  }

  __device__ void open() {
    const Item& item = item_;
    const UnitRange range = units_of_warp<kWarps>(geometry_, item, warp_);
    unit_ = range.first;
    unit_end_ = range.end;
    source_ = geometry_.data;
    if (geometry_.experts != nullptr)
      source_ += static_cast<std::size_t>(__ldcg(geometry_.experts + item.active)) * geometry_.expert_bytes;
    if constexpr (kFormat == WeightFormat::bf16) {
      const int within = lane_ / 8;
      const int row = logical_row(geometry_.order, geometry_.rows, item.tile, within);
      rows_left_ =
          geometry_.order == RowOrder::plain ? geometry_.rows - item.tile * kTileRows - within : kTileRows;
      source_ += (static_cast<std::size_t>(row) * geometry_.columns + lane_ % 8 * 8) * 2;
    } else {
      source_ += static_cast<std::size_t>(item.tile) * geometry_.units * kUnit + lane_ * 16;
    }
  }

  /// Bytes from a row of the tile to the fourth and the eighth after it.
  struct RowSteps {
    std::size_t four, eight;
  };
  __device__ RowSteps row_steps() const {
    const std::size_t row_bytes = static_cast<std::size_t>(geometry_.columns) * 2;
    return {row_bytes * (geometry_.order == RowOrder::gate_up_interleaved ? 8 : 4),
            row_bytes * (geometry_.order == RowOrder::plain          ? 8
                         : geometry_.order == RowOrder::gate_then_up ? geometry_.rows / 2
                                                                     : 1)};
  }

  __device__ void copy(std::uint32_t to) const {
    if constexpr (kFormat == WeightFormat::bf16) {
      // Rows within, within + 4, + 8, + 12 of the tile, each 128 bytes by eight lanes; pieces of odd rows are
      // swapped by halves, so that multiply_unit reads without bank conflicts.
      const RowSteps steps = row_steps();
      const int within = lane_ / 8, piece = lane_ % 8;
      const bool column = unit_ * 64 + piece * 8 < geometry_.columns;
      const unsigned char* const from = source_ + static_cast<std::size_t>(unit_) * 128;
      const std::uint32_t place = to + within * 128 + (piece ^ (within % 2 * 4)) * 16;
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const bool valid = column && j * 4 < rows_left_;
        copy_16(place + j * 512, valid ? from + (j % 2) * steps.four + (j / 2) * steps.eight : geometry_.data,
                valid);
      }
    } else {
      const unsigned char* const from = source_ + static_cast<std::size_t>(unit_) * kUnit;
      const std::uint32_t place = to + lane_ * 16;
#pragma unroll
      for (int block = 0; block < kUnit / 512; ++block) copy_16(place + block * 512, from + block * 512);
      constexpr int kRest = kUnit % 512 / 16, kBlocks = kUnit / 512 * 512;
      if (kRest > 0 && lane_ < kRest) copy_16(place + kBlocks, from + kBlocks);
    }
  }

  const Geometry& geometry_;
  unsigned char* ring_;
  int warp_, lane_;
  Item item_{};
  int left_ = 0;  ///< items, the present one included
  int unit_ = 0, unit_end_ = 0, rows_left_ = 0;
  int read_ = 0, write_ = 0;
  const unsigned char* source_ = nullptr;
};

/// FP8, FP4 and int4 codes become BF16 numbers that are 2^-120, 2^-126, and 2^-133 or 2^-129 of their values
/// (unpack.cuh). Where the vectors in shared memory have been multiplied by 2^100 beforehand (int4: or 2^96),
/// that is made good with the scales. Their elements are below 2^28.
constexpr bool takes_raised_input(WeightFormat format) {
  return format != WeightFormat::bf16;
}
inline constexpr std::uint32_t kRaisedPair = 0x71807180U;  ///< 2^100 as BF16, twice
inline constexpr std::uint32_t kRaisedLess = 0x6f806f80U;  ///< 2^96
inline constexpr float kRaisedFp8 = 0x1p20F;               ///< 2^(120 - 100): the factor that is left
inline constexpr float kRaisedInt4 = 0x1p33F;              ///< 2^(133 - 100)

/// sums += the unit at `unit` times kGroups × 8 vectors. `x` (shared memory) is where this unit's columns of
/// vector lane / 4 of the first group begin, at the 8·(lane % 4)-th; the next groups' lie group_bytes further
/// each. A lane whose vector is absent may point to any other's.
/// @tparam kRaised the vectors are 2^100 times what they mean, as takes_raised_input() says; sums of fp8_e4m3
/// are then kRaisedFp8 times too small, and int4_awq needs `unit_sums`: the sums of this unit's columns of
/// vectors 2t and 2t + 1, t = lane % 4.
/// @tparam kChains 1 or 2: sums of neighbouring products go to that many accumulators in turn, so that fewer
/// products wait for the one before; their sum is the result.
/// @tparam kMapped BF16 units lie as a tensor map brought them (weight_map.hpp), else in WeightStream's
/// order.
template <WeightFormat kFormat, int kGroups, bool kRaised, int kChains = 1, bool kMapped = false>
__device__ inline void multiply_unit(float (&sums)[kGroups][kChains][4], const unsigned char* unit,
                                     const unsigned char* x, int group_bytes, int lane,
                                     float2 unit_sums = {}) {
  const int g = lane / 4, t = lane % 4;
  const auto piece = [&](int offset) { return *reinterpret_cast<const uint4*>(unit + offset); };
  const auto multiply = [&](float(&to)[kGroups][kChains][4], const Pairs& lower, const Pairs& upper,
                            int block) {
#pragma unroll
    for (int group = 0; group < kGroups; ++group)
      multiply_tile(to[group][0], to[group][kChains - 1], lower, upper,
                    *reinterpret_cast<const uint4*>(x + group * group_bytes + block * 64));
  };
  const auto add_scaled = [&](const float(&part)[kGroups][kChains][4], float lower, float upper) {
#pragma unroll
    for (int group = 0; group < kGroups; ++group) {
#pragma unroll
      for (int chain = 0; chain < kChains; ++chain) {
        sums[group][chain][0] += lower * part[group][chain][0];
        sums[group][chain][1] += lower * part[group][chain][1];
        sums[group][chain][2] += upper * part[group][chain][2];
        sums[group][chain][3] += upper * part[group][chain][3];
      }
    }
  };
  if constexpr (kFormat == WeightFormat::bf16) {
#pragma unroll
    for (int block = 0; block < 2; ++block) {
      const int row = kMapped ? map_row(g) : g, turned = kMapped ? row : g % 2 * 4;
      const int place = row * 128 + ((block * 4 + t) ^ turned) * 16;
      const uint4 lower = piece(place), upper = piece(place + 1024);
      multiply(sums, {{lower.x, lower.y, lower.z, lower.w}}, {{upper.x, upper.y, upper.z, upper.w}}, block);
    }
  } else if constexpr (kFormat == WeightFormat::fp8_e4m3) {
#pragma unroll
    for (int block = 0; block < 2; ++block) {
      const uint4 codes = piece(block * 512 + lane * 16);
      multiply(sums, unpack_e4m3<kRaised>(codes.x, codes.y), unpack_e4m3<kRaised>(codes.z, codes.w), block);
    }
  } else if constexpr (kFormat == WeightFormat::int4_awq) {
    const float2 scale = __half22float2(*reinterpret_cast<const __half2*>(unit + scale_place(kFormat, g, 0)));
    const std::uint32_t zeros = *reinterpret_cast<const std::uint16_t*>(unit + zero_place(g));
    const std::uint32_t lower_zero = zeros & 0xffU, upper_zero = zeros >> 8;
    const auto unpack = [](std::uint32_t word, [[maybe_unused]] std::uint32_t zero) {
      if constexpr (kRaised) return unpack_int4_codes(word);
      return unpack_int4(word, zero);
    };
    float part[kGroups][kChains][4] = {};
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const uint4 codes = piece(half * 512 + lane * 16);
      multiply(part, unpack(codes.x, lower_zero), unpack(codes.y, upper_zero), half * 2);
      multiply(part, unpack(codes.z, lower_zero), unpack(codes.w, upper_zero), half * 2 + 1);
    }
    if constexpr (kRaised) {
      static_assert(kGroups == 1);
      add_scaled(part, kRaisedInt4 * scale.x, kRaisedInt4 * scale.y);
      const float lower = scale.x * static_cast<float>(lower_zero),
                  upper = scale.y * static_cast<float>(upper_zero);
      sums[0][0][0] -= lower * unit_sums.x;
      sums[0][0][1] -= lower * unit_sums.y;
      sums[0][0][2] -= upper * unit_sums.x;
      sums[0][0][3] -= upper * unit_sums.y;
    } else {
      add_scaled(part, scale.x, scale.y);
    }
  } else {
    const uint2 scales = *reinterpret_cast<const uint2*>(unit + scale_place(kFormat, g, 0));
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const uint4 codes = piece(half * 512 + lane * 16);
      const std::uint32_t words[4] = {codes.x, codes.y, codes.z, codes.w};
#pragma unroll
      for (int block = 0; block < 2; ++block) {
        float part[kGroups][kChains][4] = {};
        multiply(part, unpack_e2m1<kRaised>(words[2 * block]), unpack_e2m1<kRaised>(words[2 * block + 1]),
                 half * 2 + block);
        const std::uint32_t of_half = half == 0 ? scales.x : scales.y;
        add_scaled(part, e8m0<kRaised>(of_half, 2 * block), e8m0<kRaised>(of_half, 2 * block + 1));
      }
    }
  }
}

}  // namespace sparkmpi::kernels::inference::gpu
