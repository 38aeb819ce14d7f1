#include <cuda_bf16.h>

#include <algorithm>

#include "kernels/inference/cuda/launch.cuh"
#include "kernels/inference/cuda/linear/residual_element.cuh"
#include "kernels/inference/cuda/token_layers.hpp"

namespace sparkmpi::kernels::inference::gpu {
namespace {

constexpr int kThreads = 256;
constexpr unsigned kAll = 0xffffffffU;

__device__ float widen(std::uint16_t bits) {
  return __uint_as_float(static_cast<std::uint32_t>(bits) << 16);
}
__device__ std::uint16_t narrow(float value) {
  return __bfloat16_as_ushort(__float2bfloat16_rn(value));
}

/// What the host wrote crosses the bus once, in whole lines: blocks that each read their token's words kept a
/// step of eight tokens waiting for 0.9 ms on an H100.
__global__ void __launch_bounds__(kThreads)
    fetch_step_kernel(const __grid_constant__ StepStart s, int tokens) {
  const int token = static_cast<int>(blockIdx.x * kThreads + threadIdx.x);
  const bool exists = token < tokens;
  const std::int32_t id = exists ? __ldcv(s.ids + token) : 0,
                     position = exists ? __ldcv(s.positions + token) : 0,
                     row = exists ? __ldcv(s.rows + token) : 0;
  await_predecessor();
  release_successor();
  if (!exists) return;
  s.device_ids[token] = id;
  s.device_positions[token] = position;
  s.device_rows[token] = row;
}

/// The first block of a token computes its rotation, the others embed it. Successors are not released early:
/// an attention reads positions and rotations before it waits (launch.cuh).
__global__ void __launch_bounds__(kThreads) start_step_kernel(const __grid_constant__ StepStart s) {
  const int token = static_cast<int>(blockIdx.y), thread = static_cast<int>(threadIdx.x);
  await_predecessor();
  if (blockIdx.x == 0) {
    if (thread >= s.pairs) return;
    double sine = 0, cosine = 0;
    sincos(__ldcg(s.device_positions + token) * __ldg(s.frequencies + thread), &sine, &cosine);
    s.rotation[static_cast<std::int64_t>(token) * s.pairs + thread] = make_float2(
        static_cast<float>(s.rotation_magnitude * cosine), static_cast<float>(s.rotation_magnitude * sine));
    return;
  }
  const std::uint16_t* const from =
      s.embedding + static_cast<std::int64_t>(__ldcg(s.device_ids + token)) * s.hidden;
  const int blocks = static_cast<int>(gridDim.x) - 1;
  for (int first = (static_cast<int>(blockIdx.x) - 1) * kThreads; first < s.hidden;
       first += blocks * kThreads) {
    const int i = first + thread;
    add_to_residual(s.residual, s.hidden, token, i, 0,
                    i < s.hidden ? widen(__ldg(from + i)) * s.embedding_scale : 0.0F);
  }
}

__device__ float block_sum(float value) {
  __shared__ float parts[kThreads / 32];
  for (int step = 16; step > 0; step /= 2) value += __shfl_xor_sync(kAll, value, step);
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = value;
  __syncthreads();
  float sum = 0;
  for (const float part : parts) sum += part;
  return sum;
}

__global__ void __launch_bounds__(kThreads)
    rms_norm_kernel(const float* x, int hidden, const float* weight, float eps, const std::int32_t* index,
                    std::uint16_t* out) {
  await_predecessor();
  release_successor();
  const std::int64_t row = index == nullptr ? static_cast<int>(blockIdx.x) : index[blockIdx.x];
  const float* const from = x + row * hidden;
  float squares = 0;
  for (int i = threadIdx.x; i < hidden; i += kThreads) squares += from[i] * from[i];
  const float scale = rsqrtf(block_sum(squares) / static_cast<float>(hidden) + eps);
  std::uint16_t* const to = out + static_cast<std::int64_t>(blockIdx.x) * hidden;
  for (int i = threadIdx.x; i < hidden; i += kThreads) to[i] = narrow(from[i] * scale * weight[i]);
}

__global__ void add_bias_kernel(float* y, int columns, const float* bias) {
  await_predecessor();
  release_successor();
  float* const row = y + static_cast<std::int64_t>(blockIdx.x) * columns;
  for (int i = threadIdx.x; i < columns; i += kThreads) row[i] += bias[i];
}

__device__ float activated(Activation activation, float gate, float up) {
  switch (activation) {
    case Activation::silu:
      return gate / (1 + __expf(-gate)) * up;
    case Activation::gelu_tanh:
      return 0.5F * gate * (1 + tanhf(0.7978845608028654F * (gate + 0.044715F * gate * gate * gate))) * up;
    case Activation::clamped_swiglu:
      gate = fminf(gate, 7.0F);
      up = fminf(fmaxf(up, -7.0F), 7.0F);
      return gate / (1 + __expf(-1.702F * gate)) * (up + 1);
  }
  return 0;
}

__global__ void activate_kernel(const std::uint16_t* in, int width, const float* bias, Activation activation,
                                std::uint16_t* out) {
  await_predecessor();
  release_successor();
  const std::uint16_t* const gates = in + static_cast<std::int64_t>(blockIdx.y) * 2 * width;
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) * 2;  // widths are even
  if (i >= width) return;
  const std::uint32_t gate = *reinterpret_cast<const std::uint32_t*>(gates + i),
                      up = *reinterpret_cast<const std::uint32_t*>(gates + width + i);
  float results[2];
  for (int k = 0; k < 2; ++k) {
    const float g = widen(static_cast<std::uint16_t>(gate >> (16 * k))) + (bias == nullptr ? 0 : bias[i + k]);
    const float u =
        widen(static_cast<std::uint16_t>(up >> (16 * k))) + (bias == nullptr ? 0 : bias[width + i + k]);
    results[k] = activated(activation, g, u);
  }
  *reinterpret_cast<std::uint32_t*>(out + static_cast<std::int64_t>(blockIdx.y) * width + i) =
      narrow(results[0]) | static_cast<std::uint32_t>(narrow(results[1])) << 16;
}

/// Greater, or equal and earlier.
__device__ bool better(float value, int index, float than, int than_index) {
  return value > than || (value == than && index < than_index);
}

__global__ void __launch_bounds__(kThreads)
    arg_max_kernel(const float* y, int columns, int stride, std::int32_t* next) {
  await_predecessor();
  release_successor();
  __shared__ float values[kThreads / 32];
  __shared__ int indices[kThreads / 32];
  const float* const row = y + static_cast<std::int64_t>(blockIdx.x) * stride;
  float best = -INFINITY;
  int at = 0;
  for (int i = threadIdx.x; i < columns; i += kThreads) {
    if (row[i] > best) best = row[i], at = i;
  }
  for (int step = 16; step > 0; step /= 2) {
    const float other = __shfl_xor_sync(kAll, best, step);
    const int other_at = __shfl_xor_sync(kAll, at, step);
    if (better(other, other_at, best, at)) best = other, at = other_at;
  }
  if (threadIdx.x % 32 == 0) values[threadIdx.x / 32] = best, indices[threadIdx.x / 32] = at;
  __syncthreads();
  if (threadIdx.x != 0) return;
  for (int i = 1; i < kThreads / 32; ++i) {
    if (better(values[i], indices[i], best, at)) best = values[i], at = indices[i];
  }
  next[blockIdx.x] = at;
}

__global__ void gather_expert_counts_kernel(const std::int32_t* active, int stride, int layers,
                                            std::uint32_t* counts) {
  await_predecessor();
  release_successor();
  for (int i = threadIdx.x; i < layers; i += blockDim.x)
    counts[i] = static_cast<std::uint32_t>(active[static_cast<std::int64_t>(i) * stride]);
}

__global__ void count_experts_kernel(const std::int32_t* first_pairs, int experts, std::uint32_t* count) {
  await_predecessor();
  release_successor();
  std::uint32_t used = 0;
  for (int i = threadIdx.x; i < experts; i += 32) used += first_pairs[i + 1] > first_pairs[i] ? 1U : 0U;
  for (int step = 16; step > 0; step /= 2) used += __shfl_xor_sync(kAll, used, step);
  if (threadIdx.x == 0) *count = used;
}

__global__ void prescribe_kernel(float* logits, const std::int32_t* positions, int layer,
                                 PrescribedRouting routing) {
  await_predecessor();
  release_successor();
  const std::int32_t position = positions[blockIdx.x];
  float* const row = logits + static_cast<std::int64_t>(blockIdx.x) * routing.experts;
  for (int expert = threadIdx.x; expert < routing.experts; expert += kThreads)
    row[expert] = routing.logit(row[expert], expert, position, layer);
}

}  // namespace

void start_step(const StepStart& start, int tokens, const Launch& as) {
  launch(fetch_step_kernel, dim3((tokens + kThreads - 1) / kThreads), kThreads, 0, as.stream, as.programmatic,
         "inputs of a step", start, tokens);
  // One element a thread where there are few tokens; many keep the device busy with a block each.
  const int blocks = tokens <= kMostVectors ? (start.hidden + kThreads - 1) / kThreads : 1;
  launch(start_step_kernel, dim3(blocks + 1, tokens), kThreads, 0, as.stream, as.programmatic, "embedding",
         start);
}

void rms_norm(const float* x, int hidden, const float* weight, float eps, const std::int32_t* index, int rows,
              std::uint16_t* out, const Launch& as) {
  launch(rms_norm_kernel, dim3(rows), kThreads, 0, as.stream, as.programmatic, "RMS norm", x, hidden, weight,
         eps, index, out);
}

void add_bias(float* y, int columns, int rows, const float* bias, const Launch& as) {
  launch(add_bias_kernel, dim3(rows), kThreads, 0, as.stream, as.programmatic, "bias", y, columns, bias);
}

void activate(const std::uint16_t* in, int width, int rows, const float* bias, Activation activation,
              std::uint16_t* out, const Launch& as) {
  launch(activate_kernel, dim3((width / 2 + kThreads - 1) / kThreads, rows), kThreads, 0, as.stream,
         as.programmatic, "activation", in, width, bias, activation, out);
}

void gather_expert_counts(const std::int32_t* active, int stride, int layers, std::uint32_t* counts,
                          const Launch& as) {
  launch(gather_expert_counts_kernel, dim3(1), 128, 0, as.stream, as.programmatic, "counts of experts",
         active, stride, layers, counts);
}

void count_experts(const std::int32_t* first_pairs, int experts, std::uint32_t* count, const Launch& as) {
  launch(count_experts_kernel, dim3(1), 32, 0, as.stream, as.programmatic, "counts of experts", first_pairs,
         experts, count);
}

void prescribe(float* logits, int tokens, const std::int32_t* positions, int layer,
               const PrescribedRouting& routing, const Launch& as) {
  launch(prescribe_kernel, dim3(tokens), kThreads, 0, as.stream, as.programmatic, "prescribed experts",
         logits, positions, layer, routing);
}

void arg_max_rows(const float* y, int columns, int stride, int rows, std::int32_t* next, const Launch& as) {
  launch(arg_max_kernel, dim3(rows), kThreads, 0, as.stream, as.programmatic, "arg-max", y, columns, stride,
         next);
}

}  // namespace sparkmpi::kernels::inference::gpu
