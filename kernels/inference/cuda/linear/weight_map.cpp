#include "kernels/inference/cuda/linear/weight_map.hpp"

#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include "base/error.hpp"
#include "kernels/inference/cuda/device.hpp"
#include "kernels/inference/cuda/linear/tile_layout.cuh"

namespace sparkmpi::kernels::inference::gpu {
namespace {

/// The driver's function, found at run time: the program does not link libcuda.
auto encoder() {
  void* function = nullptr;
  cudaDriverEntryPointQueryResult found{};
  check(
      cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, 12000, cudaEnableDefault, &found),
      "cuTensorMapEncodeTiled");
  if (found != cudaDriverEntryPointSuccess || function == nullptr)
    throw Error("this driver has no cuTensorMapEncodeTiled; it needs to be one of CUDA 12.0 or later");
  return reinterpret_cast<decltype(&cuTensorMapEncodeTiled)>(function);
}

}  // namespace

bool has_weight_map(const DeviceMatrix& matrix) {
  return matrix.format == WeightFormat::bf16 && matrix.rows % kTileRows == 0 &&
         matrix.columns % unit_columns(WeightFormat::bf16) == 0;
}

CUtensorMap weight_map(const DeviceMatrix& matrix, int experts) {
  constexpr cuuint32_t kColumns = unit_columns(WeightFormat::bf16);
  const auto row_bytes = static_cast<cuuint64_t>(matrix.columns) * 2;
  const MapRows rows = map_rows(matrix.order, matrix.rows);
  const cuuint64_t sizes[5] = {kColumns,
                               static_cast<cuuint64_t>(experts) * map_expert_steps(matrix.order, matrix.rows),
                               2, 2, static_cast<cuuint64_t>(matrix.columns) / kColumns};
  const cuuint64_t strides[4] = {rows.of_pair * row_bytes, rows.within_pair * row_bytes,
                                 rows.of_half * row_bytes, kColumns * 2};
  const cuuint32_t box[5] = {kColumns, 4, 2, 2, kRingWarps}, every[5] = {1, 1, 1, 1, 1};
  static const auto encode = encoder();  // launches outside of a graph need not look for it again
  CUtensorMap map{};
  const CUresult made = encode(&map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 5, matrix.data, sizes, strides, box,
                               every, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                               CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (made != CUDA_SUCCESS) {
    throw Error(fmt::format("cuTensorMapEncodeTiled refuses a matrix of {} rows and {} columns: CUresult {}",
                            matrix.rows, matrix.columns, static_cast<int>(made)));
  }
  return map;
}

}  // namespace sparkmpi::kernels::inference::gpu
