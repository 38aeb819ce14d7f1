#pragma once
// Vectors in shared memory as the products of few vectors take them: multiplied by powers of two where codes
// are unpacked to smaller numbers than they mean, and with their units' sums where zero points are taken off.

#include <cstdint>

#include "kernels/inference/cuda/linear/tile_layout.cuh"
#include "kernels/inference/cuda/linear/unpack.cuh"
#include "kernels/inference/cuda/linear/weight_stream.cuh"

namespace sparkmpi::kernels::inference::gpu {

/// Eight columns as multiply_unit() takes them.
template <WeightFormat kFormat>
__device__ inline uint4 raised(const uint4& pairs) {
  if constexpr (!takes_raised_input(kFormat)) return pairs;
  constexpr std::uint32_t kOdd = kFormat == WeightFormat::int4_awq ? kRaisedLess : kRaisedPair;
  return {multiply_pair(pairs.x, kRaisedPair), multiply_pair(pairs.y, kOdd),
          multiply_pair(pairs.z, kRaisedPair), multiply_pair(pairs.w, kOdd)};
}

/// By a warp with two units of int4_awq, eight raised() columns a lane: the sum of the columns of lane's
/// unit. Only in lanes that has_sum_of_unit() names.
__device__ inline float sum_of_unit(const uint4& pairs) {
  constexpr Pairs kOnes{{0x3f803f80U, 0x41804180U, 0x3f803f80U, 0x41804180U}};  // 16 makes up for kRaisedLess
  float sums[2][4] = {};
  multiply_tile(sums[0], sums[1], kOnes, kOnes, pairs);
  // Column n of the product is the sum over lanes 4n to 4n + 3; a lane has columns 2t and 2t + 1.
  float sum = (sums[0][0] + sums[1][0]) + (sums[0][1] + sums[1][1]);
  sum += __shfl_xor_sync(0xffffffffU, sum, 1);
  return 0x1p-100F * sum;
}
__device__ inline bool has_sum_of_unit(int lane) {
  return lane == 0 || lane == 16 + 2;
}

/// Where a lane finds the sums of a unit's columns of the two vectors whose results it has, if the format
/// needs them.
template <WeightFormat kFormat>
class UnitSums {
 public:
  /// @param row_of the place of a vector among those in `x`.
  template <class Function>
  __device__ UnitSums(const unsigned char* x, std::uint32_t vector_bytes, int slice_units, int lane,
                      const Function& row_of) {
    const auto sums_of = [&](int row) {
      return reinterpret_cast<const float*>(x + row * vector_bytes +
                                            unit_sums_place(kFormat, slice_units, row));
    };
    first_ = sums_of(row_of(lane % 4 * 2));
    second_ = sums_of(row_of(lane % 4 * 2 + 1));
  }
  __device__ float2 of(int unit) const {
    if constexpr (!has_unit_sums(kFormat)) return {};
    return {first_[unit], second_[unit]};
  }

 private:
  const float *first_, *second_;
};

}  // namespace sparkmpi::kernels::inference::gpu
