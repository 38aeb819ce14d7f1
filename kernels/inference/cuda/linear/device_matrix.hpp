#pragma once
// Weight matrices as the products of this folder read them from device memory.
//
// Everything works on tiles of 16 rows, because the products are mma.sync.m16n8k16: 16 rows of weights times
// up to eight vectors, accumulated in single precision. BF16 keeps the row-major layout of the file, so that
// cuBLASLt reads the same bytes; the quantised formats are repacked once (tile_layout.cuh), so that a warp's
// reads are contiguous.

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

#include "kernels/inference/weight_format.hpp"

namespace sparkmpi::kernels::inference::gpu {

/// Which rows share a tile. Gate and up rows of one output lie in one tile (rows i and i + 8 of it), so that
/// the product can apply the activation.
enum class RowOrder : std::uint8_t {
  plain,
  gate_then_up,  ///< rows [0, rows/2) gate, the rest up (Llama, Phi-3, Mixtral); rows/2 a multiple of 8
  gate_up_interleaved,  ///< even rows gate, odd rows up (gpt-oss); rows a multiple of 16
};

/// One weight matrix: y = W·x with W [rows, columns]. A view; the engine owns the memory. Columns are a
/// multiple of 8 for bf16 and fp8_e4m3, of 128 for int4_awq, of 32 for mxfp4; mxfp4's scales are below 2^102.
struct DeviceMatrix {
  WeightFormat format = WeightFormat::bf16;
  RowOrder order = RowOrder::plain;
  int rows = 0, columns = 0;
  void* data = nullptr;     ///< data_bytes(), aligned to 16 bytes
  float* scales = nullptr;  ///< fp8_e4m3: [rows] by logical row; else null
};

/// Tiles of 16 rows; the last may be partial (order plain only).
int tile_count(const DeviceMatrix& matrix);
/// Bytes behind DeviceMatrix::data, and behind scales (0 without).
std::size_t data_bytes(const DeviceMatrix& matrix);
std::size_t scale_bytes(const DeviceMatrix& matrix);

/// A stack of equal matrices, one an expert: expert e's data lies e·data_bytes(first) behind the first's, its
/// scales e·scale_bytes(first).
struct ExpertMatrices {
  DeviceMatrix first;
  int experts = 0;
};
DeviceMatrix expert(const ExpertMatrices& stack, int index);

/// Rows in the canonical layout of weight_format.hpp (its three planes, without padding), in device memory: a
/// staging buffer.
struct CanonicalRows {
  const void* values = nullptr;
  const void* scales = nullptr;
  const void* zeros = nullptr;
};

/// Puts `rows` canonical rows where the matrix keeps its logical rows [first_row, first_row + rows): any
/// first row, so that Q, K and V (or gate and up) can be packed one after the other into one matrix.
/// Asynchronous in `stream`. Throws Error when the launch fails, UsageError for a shape the format cannot
/// hold (see check_shape).
void repack(const DeviceMatrix& matrix, int first_row, int rows, const CanonicalRows& source,
            cudaStream_t stream);

/// Throws UsageError naming what a format or row order asks of rows and columns.
void check_shape(const DeviceMatrix& matrix);

/// The logical rows [first_row, first_row + rows) as row-major BF16 [rows, columns], scales applied and
/// rounded to nearest: what cuBLASLt multiplies in prefill. Asynchronous in `stream`; may be captured.
void to_bf16(const DeviceMatrix& matrix, int first_row, int rows, std::uint16_t* out, cudaStream_t stream);

}  // namespace sparkmpi::kernels::inference::gpu
