#include <algorithm>

#include "kernels/inference/cuda/launch.cuh"
#include "kernels/inference/cuda/linear/tile_layout.cuh"
#include "kernels/inference/cuda/linear/unpack.cuh"

namespace sparkmpi::kernels::inference::gpu {
namespace {

constexpr int kThreads = 256;
constexpr int kWordColumns = 8;  // of a thread

dim3 blocks_for(std::size_t threads) {
  return dim3(
      static_cast<unsigned>(std::clamp<std::size_t>((threads + kThreads - 1) / kThreads, 1, 1U << 16)));
}

/// A row's place within the device layout.
__device__ unsigned char* unit_of(const DeviceMatrix& matrix, const TileRow& place, int unit) {
  return static_cast<unsigned char*>(matrix.data) +
         (static_cast<std::size_t>(place.tile) * units_of(matrix.format, matrix.columns) + unit) *
             unit_bytes(matrix.format);
}

/// Two words of four E4M3 codes each, from columns (0, 1, 2, 3) to bytes (1, 3, 0, 2).
__device__ void put_e4m3(unsigned char* to, uint2 codes) {
  *reinterpret_cast<uint2*>(to) = {__byte_perm(codes.x, 0, 0x1302), __byte_perm(codes.y, 0, 0x1302)};
}

/// A word of eight codes: even columns to the lower half, odd ones to the upper.
__device__ std::uint32_t split_nibbles(std::uint32_t codes) {
  std::uint32_t even = codes & 0x0f0f0f0fU, odd = (codes >> 4) & 0x0f0f0f0fU;
  even = (even | (even >> 4)) & 0x00ff00ffU;
  odd = (odd | (odd >> 4)) & 0x00ff00ffU;
  return __byte_perm(even, odd, 0x6420);
}

/// From nibbles to the places that unpack_e2m1 wants, in both halves of a word.
__device__ std::uint32_t spread_e2m1(std::uint32_t nibbles) {
  const auto magnitude = [&](int p) { return (nibbles >> (4 * p)) & 0x00070007U; };
  const auto sign = [&](int p) { return (nibbles >> (4 * p + 3)) & 0x00010001U; };
  const std::uint32_t last = magnitude(3);
  return magnitude(0) << 6 | sign(0) << 15 | magnitude(1) << 3 | sign(1) << 12 | magnitude(2) | sign(2) << 9 |
         (last & 0x00030003U) << 10 | (last & 0x00040004U) << 11 | sign(3) << 14;
}

__global__ void __launch_bounds__(kThreads)
    repack_codes(DeviceMatrix matrix, int first_row, int rows, const unsigned char* values) {
  const int in_unit = unit_columns(matrix.format), units = units_of(matrix.format, matrix.columns);
  const int words = units * in_unit / kWordColumns;
  const std::size_t count = static_cast<std::size_t>(rows) * words;
  const bool bytes = matrix.format == WeightFormat::fp8_e4m3;
  for (std::size_t i = blockIdx.x * std::size_t{kThreads} + threadIdx.x; i < count;
       i += gridDim.x * std::size_t{kThreads}) {
    const auto row = static_cast<int>(i / words);
    const int column = static_cast<int>(i % words) * kWordColumns;
    const TileRow place = tile_row(matrix.order, matrix.rows, first_row + row);
    unsigned char* const unit = unit_of(matrix, place, column / in_unit);
    const bool exists = column < matrix.columns;
    if (bytes) {
      uint2 codes{0, 0};
      if (exists)
        codes =
            *reinterpret_cast<const uint2*>(values + static_cast<std::size_t>(row) * matrix.columns + column);
      // Codes of columns 8t … 8t + 7 are neighbours; column 2 of them is in byte 0.
      put_e4m3(unit + code_place(matrix.format, place.within, column % in_unit + 2), codes);
    } else {
      std::uint32_t codes = 0;
      if (exists)
        codes = *reinterpret_cast<const std::uint32_t*>(
            values + (static_cast<std::size_t>(row) * matrix.columns + column) / 2);
      *reinterpret_cast<std::uint32_t*>(unit + code_place(matrix.format, place.within, column % in_unit)) =
          matrix.format == WeightFormat::mxfp4 ? spread_e2m1(split_nibbles(codes)) : split_nibbles(codes);
    }
  }
}

/// @param scales, zeros canonical: per row of all (fp8), per group of 128 columns (int4), of 32 (mxfp4).
__global__ void __launch_bounds__(kThreads)
    repack_scales(DeviceMatrix matrix, int first_row, int rows, const unsigned char* scales,
                  const unsigned char* zeros) {
  constexpr int kScales = unit_columns(WeightFormat::mxfp4) / 32;
  const int units = units_of(matrix.format, matrix.columns);
  const int groups = matrix.format == WeightFormat::mxfp4 ? units * kScales : units;
  const std::size_t count =
      static_cast<std::size_t>(rows) * (matrix.format == WeightFormat::fp8_e4m3 ? 1 : groups);
  for (std::size_t i = blockIdx.x * std::size_t{kThreads} + threadIdx.x; i < count;
       i += gridDim.x * std::size_t{kThreads}) {
    if (matrix.format == WeightFormat::fp8_e4m3) {
      matrix.scales[first_row + i] = reinterpret_cast<const float*>(scales)[i];
      continue;
    }
    const auto row = static_cast<int>(i / groups), group = static_cast<int>(i % groups);
    const TileRow place = tile_row(matrix.order, matrix.rows, first_row + row);
    if (matrix.format == WeightFormat::int4_awq) {
      unsigned char* const unit = unit_of(matrix, place, group);
      *reinterpret_cast<std::uint16_t*>(unit + scale_place(matrix.format, place.within, 0)) =
          reinterpret_cast<const std::uint16_t*>(scales)[i];
      const std::size_t row_bytes = (groups + 1) / 2;
      unit[zero_place(place.within)] = nibble(zeros + row * row_bytes, group);
    } else {
      // Beyond the matrix, where codes are zeros, any finite scale.
      const int in_row = matrix.columns / 32;
      unit_of(matrix, place, group / kScales)[scale_place(matrix.format, place.within, group % kScales)] =
          group < in_row ? scales[static_cast<std::size_t>(row) * in_row + group] : 127;
    }
  }
}

__device__ uint4 scaled(const Pairs& pairs, float scale) {
  std::uint32_t words[4];
#pragma unroll
  for (int p = 0; p < 4; ++p) {
    const float2 values = __bfloat1622float2(*reinterpret_cast<const __nv_bfloat162*>(&pairs.pair[p]));
    const __nv_bfloat162 rounded = __floats2bfloat162_rn(values.x * scale, values.y * scale);
    words[p] = *reinterpret_cast<const std::uint32_t*>(&rounded);
  }
  return {words[0], words[1], words[2], words[3]};
}

__global__ void __launch_bounds__(kThreads)
    expand(DeviceMatrix matrix, int first_row, int rows, std::uint16_t* out) {
  await_predecessor();
  const int words = matrix.columns / kWordColumns, in_unit = unit_columns(matrix.format);
  const std::size_t count = static_cast<std::size_t>(rows) * words;
  for (std::size_t i = blockIdx.x * std::size_t{kThreads} + threadIdx.x; i < count;
       i += gridDim.x * std::size_t{kThreads}) {
    const int row = first_row + static_cast<int>(i / words);
    const int column = static_cast<int>(i % words) * kWordColumns;
    const TileRow place = tile_row(matrix.order, matrix.rows, row);
    const unsigned char* const unit = unit_of(matrix, place, column / in_unit);
    uint4 result{};
    if (matrix.format == WeightFormat::fp8_e4m3) {
      const uint2 codes = *reinterpret_cast<const uint2*>(
          unit + code_place(matrix.format, place.within, column % in_unit + 2));
      result = scaled(unpack_e4m3<false>(codes.x, codes.y), matrix.scales[row]);
    } else {
      const std::uint32_t codes = *reinterpret_cast<const std::uint32_t*>(
          unit + code_place(matrix.format, place.within, column % in_unit));
      if (matrix.format == WeightFormat::int4_awq) {
        const auto scale =
            *reinterpret_cast<const __half*>(unit + scale_place(matrix.format, place.within, 0));
        result = scaled(unpack_int4(codes, unit[zero_place(place.within)]), __half2float(scale));
      } else {
        const std::uint32_t scale = unit[scale_place(matrix.format, place.within, column % in_unit / 32)];
        result = scaled(unpack_e2m1<false>(codes), e8m0<false>(scale, 0));
      }
    }
    reinterpret_cast<uint4*>(out)[i] = result;
  }
}

}  // namespace

void repack(const DeviceMatrix& matrix, int first_row, int rows, const CanonicalRows& source,
            cudaStream_t stream) {
  check_shape(matrix);
  if (matrix.format == WeightFormat::bf16) {
    const std::size_t row_bytes = static_cast<std::size_t>(matrix.columns) * 2;
    check(cudaMemcpyAsync(static_cast<std::byte*>(matrix.data) + first_row * row_bytes, source.values,
                          rows * row_bytes, cudaMemcpyDeviceToDevice, stream),
          "copying rows of a matrix");
    return;
  }
  const std::size_t words = static_cast<std::size_t>(rows) * units_of(matrix.format, matrix.columns) *
                            unit_columns(matrix.format) / kWordColumns;
  launch(repack_codes, blocks_for(words), kThreads, 0, stream, false, "repack", matrix, first_row, rows,
         static_cast<const unsigned char*>(source.values));
  launch(repack_scales, blocks_for(words / 4), kThreads, 0, stream, false, "repack", matrix, first_row, rows,
         static_cast<const unsigned char*>(source.scales), static_cast<const unsigned char*>(source.zeros));
}

void to_bf16(const DeviceMatrix& matrix, int first_row, int rows, std::uint16_t* out, cudaStream_t stream) {
  check_shape(matrix);
  if (matrix.format == WeightFormat::bf16) {
    const std::size_t row_bytes = static_cast<std::size_t>(matrix.columns) * 2;
    check(cudaMemcpyAsync(out, static_cast<const std::byte*>(matrix.data) + first_row * row_bytes,
                          rows * row_bytes, cudaMemcpyDeviceToDevice, stream),
          "copying rows of a matrix");
    return;
  }
  launch(expand, blocks_for(static_cast<std::size_t>(rows) * matrix.columns / kWordColumns), kThreads, 0,
         stream, false, "to_bf16", matrix, first_row, rows, out);
}

}  // namespace sparkmpi::kernels::inference::gpu
