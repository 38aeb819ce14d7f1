#pragma once
// How a tile of 16 rows lies in device memory. A unit is what one warp reads at a time: unit_columns()
// columns of the tile. BF16 rows stay row-major; the units of the other formats are contiguous, one tile
// after the other:
//
//   fp8_e4m3   two blocks of 32 columns. Block: lane (g, t), g = lane / 4, t = lane % 4, has 16 bytes:
//              columns 8t … 8t + 7 of row g, then of row g + 8
//   int4_awq   two blocks of 64 columns. Block: lane (g, t) has four words: columns 8t … 8t + 7 of row g and
//              of row g + 8, then the same of columns 32 + 8t …. Then 8 × {scale of row g, of row g + 8} as
//              halves, then 8 × {zero point of row g, of row g + 8} as bytes
//   mxfp4      two blocks as int4_awq's, then 8 × {scales of row g, of row g + 8 for the first 32 columns,
//              for the next, …}, E8M0 bytes
//
// Within a word codes lie so that a shift and a mask make a register pair of two neighbouring columns
// (unpack.cuh): FP8 columns (0, 1) in bytes (1, 3) and (2, 3) in bytes (0, 2); int4 nibble p holds column 2p
// and nibble p + 4 column 2p + 1; of mxfp4 codes half a word holds the even columns, the other the odd ones.

#include <cstddef>
#include <cstdint>

#include "kernels/inference/cuda/linear/device_matrix.hpp"

namespace sparkmpi::kernels::inference::gpu {

inline constexpr int kTileRows = 16;

/// Columns of a unit, and its bytes.
constexpr int unit_columns(WeightFormat format) {
  return format == WeightFormat::int4_awq || format == WeightFormat::mxfp4 ? 128 : 64;
}
constexpr int unit_bytes(WeightFormat format) {
  switch (format) {
    case WeightFormat::bf16:
      return 2048;
    case WeightFormat::fp8_e4m3:
      return 1024;
    case WeightFormat::int4_awq:
      return 1024 + 32 + 16;
    case WeightFormat::mxfp4:
      return 1024 + 64;
  }
  return 0;
}

constexpr int units_of(WeightFormat format, int columns) {
  return (columns + unit_columns(format) - 1) / unit_columns(format);
}

/// Whether a vector in shared memory has the sums of its units' columns behind it, a float each: times the
/// zero points they are what products with the codes of int4_awq have too much.
constexpr bool has_unit_sums(WeightFormat format) {
  return format == WeightFormat::int4_awq;
}
/// Byte offset of these sums within vector number `vector`: those of even ones lie in different banks, and
/// those of odd ones.
constexpr std::uint32_t unit_sums_place(WeightFormat format, int slice_units, int vector) {
  return static_cast<std::uint32_t>(slice_units * unit_columns(format) * 2 + vector / 2 % 4 * 8);
}
/// A vector in shared memory takes 64 bytes more than a multiple of 128, so that the vectors of a quarter
/// warp lie in different banks.
constexpr std::uint32_t vector_bytes(WeightFormat format, int slice_units) {
  constexpr int kFurthest = 6;  // a vector whose sums begin as far behind its columns as any's
  const std::uint32_t end =
      has_unit_sums(format)
          ? unit_sums_place(format, slice_units, kFurthest) + static_cast<std::uint32_t>(slice_units) * 4
          : static_cast<std::uint32_t>(slice_units * unit_columns(format) * 2);
  return (end + 127) / 128 * 128 + 64;
}

/// The logical row that is row `within` of tile `tile`; beyond `rows` in a partial tile.
constexpr int logical_row(RowOrder order, int rows, int tile, int within) {
  switch (order) {
    case RowOrder::plain:
      return tile * kTileRows + within;
    case RowOrder::gate_then_up:
      return tile * 8 + within % 8 + (within < 8 ? 0 : rows / 2);
    case RowOrder::gate_up_interleaved:
      return tile * kTileRows + within % 8 * 2 + within / 8;
  }
  return 0;
}

/// The inverse: where a logical row lies.
struct TileRow {
  int tile, within;
};
constexpr TileRow tile_row(RowOrder order, int rows, int row) {
  switch (order) {
    case RowOrder::plain:
      return {row / kTileRows, row % kTileRows};
    case RowOrder::gate_then_up: {
      const int half = rows / 2, output = row < half ? row : row - half;
      return {output / 8, output % 8 + (row < half ? 0 : 8)};
    }
    case RowOrder::gate_up_interleaved:
      return {row / kTileRows, row % kTileRows / 2 + row % 2 * 8};
  }
  return {0, 0};
}

/// Byte offset within a quantised unit of the code at (row of the tile, column of the unit), of four bits the
/// word that has it.
constexpr int code_place(WeightFormat format, int within, int column) {
  const int g = within % 8, upper = within / 8, t = column % 32 / 8;
  const int lane = g * 4 + t;
  if (format == WeightFormat::fp8_e4m3) {
    const int c = column % 8, in_word = (c % 4 < 2 ? 1 : 0) + c % 2 * 2;
    return column / 32 * 512 + lane * 16 + upper * 8 + c / 4 * 4 + in_word;
  }
  const int word = column / 32 % 2 * 2 + upper;
  return column / 64 * 512 + lane * 16 + word * 4;
}

/// Byte offset within a unit of a row's scale (int4_awq: two bytes; mxfp4: of the 32 columns `block`), and of
/// its zero point.
constexpr int scale_place(WeightFormat format, int within, int block) {
  const int g = within % 8, upper = within / 8;
  return 1024 + (format == WeightFormat::int4_awq ? g * 4 + upper * 2 : g * 8 + block * 2 + upper);
}
constexpr int zero_place(int within) {
  return 1024 + 32 + within % 8 * 2 + within / 8;
}

}  // namespace sparkmpi::kernels::inference::gpu
