#pragma once
// Quantised rows in single precision, for products by the library.

#include "kernels/inference/host/math_ops.hpp"

namespace sparkmpi::kernels::inference {

/// Writes matrix.rows × matrix.stride floats in natural order, exactly (weight_format.hpp has the formulas;
/// FP8 is rounded once). Only for formats other than BF16.
void dequantize(const QuantizedRows& matrix, float* to);

}  // namespace sparkmpi::kernels::inference
