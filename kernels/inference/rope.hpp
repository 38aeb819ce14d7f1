#pragma once
// Rotary position embedding's frequencies (Su et al., arXiv:2104.09864), with the scalings of longer
// contexts.

#include <vector>

#include "kernels/inference/model_config.hpp"

namespace sparkmpi::kernels::inference {

/// Radians a position, [head_dim / 2]: θ^(-2i/head_dim), scaled as config.rope_scaling says: Llama 3.1's
/// blend, or YaRN (Peng et al., arXiv:2309.00071, "NTK-by-parts"), as transformers' modeling_rope_utils
/// computes them. Element i of a head's first half turns with element i of its second half; sines and cosines
/// are multiplied by config.rope_attention_factor.
std::vector<double> rope_frequencies(const ModelConfig& config);

}  // namespace sparkmpi::kernels::inference
