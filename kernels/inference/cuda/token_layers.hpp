#pragma once
// What a step does to each token between the products: embedding, norms, biases, activations, arg-max.

#include <cuda_runtime_api.h>

#include <cstdint>

#include "kernels/inference/cuda/linear/products.hpp"
#include "kernels/inference/prescribed_routing.hpp"

namespace sparkmpi::kernels::inference::gpu {

/// A step's tokens as the host wrote them, and where the device keeps them.
struct StepStart {
  const std::int32_t* ids = nullptr;        ///< [tokens], page-locked host memory
  const std::int32_t* positions = nullptr;  ///< likewise
  const std::int32_t* rows = nullptr;       ///< likewise: rows of the block tables
  std::int32_t* device_ids = nullptr;       ///< [tokens], as are the next two
  std::int32_t* device_positions = nullptr;
  std::int32_t* device_rows = nullptr;
  const std::uint16_t* embedding = nullptr;  ///< BF16 [vocab, hidden]
  float embedding_scale = 1;
  int hidden = 0;
  ResidualOutput residual;              ///< what the tokens' embeddings become; without a bias
  const double* frequencies = nullptr;  ///< [pairs] radians a position
  double rotation_magnitude = 1;        ///< of sines and cosines
  int pairs = 0;
  float2* rotation = nullptr;  ///< [tokens, pairs]
};
/// Embeds the tokens, with the first half of the first norm where the residual output has one, and computes
/// their rotations, in double precision as the host does.
void start_step(const StepStart& start, int tokens, const Launch& launch);

/// out[i] = bf16(x[index[i]] / √(mean(x²) + ε) · weight). @param index null: rows in order.
void rms_norm(const float* x, int hidden, const float* weight, float eps, const std::int32_t* index, int rows,
              std::uint16_t* out, const Launch& launch);

/// y[row, i] += bias[i], for y [rows, columns].
void add_bias(float* y, int columns, int rows, const float* bias, const Launch& launch);

/// out[row, i] = act(gate, up) with gate = in[row, i], up = in[row, width + i], both with their bias (null:
/// none, else [2·width]). @param limit clamped_swiglu's.
void activate(const std::uint16_t* in, int width, int rows, const float* bias, Activation activation,
              std::uint16_t* out, const Launch& launch);

/// next[row] = the index of the row's greatest element, ties to the lowest; y [rows, stride].
void arg_max_rows(const float* y, int columns, int stride, int rows, std::int32_t* next,
                  const Launch& launch);

/// Distinct experts of a step of few tokens: counts[layer] = active[layer·stride], for all layers.
void gather_expert_counts(const std::int32_t* active, int stride, int layers, std::uint32_t* counts,
                          const Launch& launch);

/// Distinct experts of many tokens: experts whose groups hold a pair. @param first_pairs [experts + 1].
void count_experts(const std::int32_t* first_pairs, int experts, std::uint32_t* count, const Launch& launch);

/// Makes the router's logits [tokens, experts] those that choose what is prescribed. @param positions
/// [tokens]
void prescribe(float* logits, int tokens, const std::int32_t* positions, int layer,
               const PrescribedRouting& routing, const Launch& launch);

}  // namespace sparkmpi::kernels::inference::gpu
