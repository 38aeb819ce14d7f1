#pragma once
// The arithmetic of the host engine, in one version for each instruction set, chosen at run time.

#include <cstddef>
#include <cstdint>

#include "kernels/host/cpu_features.hpp"
#include "kernels/inference/bf16.hpp"
#include "kernels/inference/model_config.hpp"
#include "kernels/inference/weight_format.hpp"

namespace sparkmpi::kernels::inference {

/// Rows of queries against one block of keys and values. All rows have `width` elements, a multiple of 32
/// (zeros beyond the head's size). Queries and accumulators are in packed order (MathOps::pack_query); keys
/// and values as stored, [tokens, width].
struct AttentionBlock {
  const Bf16* keys;
  const Bf16* values;
  int tokens;                   ///< in this block, at most MathOps::kMostTokens
  std::int64_t first_position;  ///< of the block's first token
  std::size_t width;
  std::size_t rows;
  const float* queries;               ///< [rows, width], packed, already scaled
  const std::int64_t* first_visible;  ///< [rows]: position of the first key that a row sees
  const std::int64_t* last_visible;   ///< [rows]: position of the last one
  float* maximum;                     ///< [rows]: running maximum of the scores, -infinity at first
  float* total;                       ///< [rows]: running sum of exp(score - maximum)
  float* sums;                        ///< [rows, width], packed: running sum of values weighted the same way
  float* scratch;                     ///< 2 · kMostTokens · width floats
};

/// Rows of a quantised matrix (weight_format.hpp).
struct QuantizedRows {
  WeightFormat format;
  const std::byte* values;
  const std::byte* scales;
  const std::byte* zeros;
  RowBytes distance;         ///< bytes from row to row in each plane
  std::size_t rows, stride;  ///< columns, padded with zeros to a multiple of 32
};

struct MathOps {
  /// Most vectors that matvec multiplies by in one pass over the matrix.
  static constexpr std::size_t kMostVectors = 8;
  static constexpr int kMostTokens = 16;

  host::Simd simd = host::Simd::portable;
  /// Brings x into the order in which matvec reads it; `padded` is `columns` rounded up to 32, the rest
  /// becomes zero.
  void (*pack)(const float* x, std::size_t columns, std::size_t padded, float* packed);
  /// The same for attend's queries and matvec_quantized, and back for attend's sums. (Some instruction sets
  /// order the two differently.)
  void (*pack_query)(const float* x, std::size_t columns, std::size_t padded, float* packed);
  void (*unpack_sum)(const float* packed, std::size_t columns, float* x);
  /// y[v·y_stride + r] = Σ W[r, c] · x[v, c] for r in [0, rows), v in [0, vectors), vectors in [1,
  /// kMostVectors].
  /// @param stride elements of a row of W, a multiple of 32; x is packed with the same stride. Sums are in
  /// single precision.
  void (*matvec)(const Bf16* matrix, std::size_t rows, std::size_t stride, const float* packed,
                 std::size_t vectors, float* y, std::size_t y_stride);
  /// The same for rows of any other format, and x in pack_query's order.
  void (*matvec_quantized)(const QuantizedRows& matrix, const float* packed, std::size_t vectors, float* y,
                           std::size_t y_stride);
  /// BF16 to single, in natural order; count is a multiple of 32.
  void (*expand)(const Bf16* from, std::size_t count, float* to);
  /// One step of softmax attention over a block (online softmax: Milakov and Gimelshein, arXiv:1805.02867).
  void (*attend)(const AttentionBlock& block);
  /// out[i] = silu(gate[i]) · up[i].
  void (*silu_multiply)(const float* gate, const float* up, std::size_t count, float* out);
  /// The other activations (model_config.hpp).
  void (*gelu_multiply)(const float* gate, const float* up, std::size_t count, float* out);
  void (*clamped_swiglu)(const float* gate, const float* up, std::size_t count, float limit, float* out);
};

/// The operations for an instruction set that this machine supports and this binary has; others get the next
/// narrower one's.
MathOps math_ops_for(host::Simd simd);

MathOps math_ops_portable();
MathOps math_ops_avx2();
MathOps math_ops_avx512();
MathOps math_ops_avx512_bf16();
MathOps math_ops_sve();

}  // namespace sparkmpi::kernels::inference
