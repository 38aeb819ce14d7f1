#pragma once
// What a step's kernels pass on to each other, and what host and device tell each other.

#include <cstdint>

#include "kernels/inference/cuda/attention.hpp"
#include "kernels/inference/cuda/device.hpp"
#include "kernels/inference/cuda/linear/experts.hpp"
#include "kernels/inference/model_config.hpp"

namespace sparkmpi::kernels::inference::gpu {

/// Sizes that the memory of a step follows from.
struct StepLimits {
  int tokens = 0, slices = 0;  ///< most of a step
  int multiprocessors = 0;
  int arg_max_parts = 0;
  int members = 1;  ///< of the group that computes the model
};

struct StepMemory {
  StepMemory(const ModelConfig& config, const StepLimits& limits);

  StepLimits limits;

  // Page-locked: the host writes the first six before a step and reads the others after it.
  std::int32_t *ids = nullptr, *positions = nullptr, *rows = nullptr;  ///< [tokens]
  std::int32_t* last = nullptr;                                        ///< [slices] each slice's last token
  QueryTile* tiles = nullptr;                                          ///< [tokens]
  std::int32_t* next = nullptr;                                        ///< [slices] the tokens that follow
  std::uint32_t* experts_read = nullptr;  ///< [layers] distinct experts of the step

  // Device memory. Rows are tokens unless they say otherwise; floats are single precision, u16 BF16.
  std::int32_t *device_ids = nullptr, *device_positions = nullptr, *device_rows = nullptr,
               *device_last = nullptr;
  QueryTile* device_tiles = nullptr;
  float2* rotation = nullptr;         ///< [head_dim / 2]
  float* residual = nullptr;          ///< [hidden]
  float* squares = nullptr;           ///< of the residual, for up to 8 tokens (products.hpp)
  float* qkv = nullptr;               ///< [(heads + 2·kv_heads)·head_dim]
  std::uint16_t* input = nullptr;     ///< [hidden] the normalised residual
  std::uint16_t* attended = nullptr;  ///< [heads·head_dim]
  std::uint16_t *gate_up = nullptr,
                *activated = nullptr;  ///< [2·intermediate], [intermediate]; times experts a token
  float* router_logits = nullptr;      ///< [experts]
  float* pairs = nullptr;              ///< [experts a token, hidden]
  float* logits = nullptr;             ///< [slices, logits_stride]
  float* best = nullptr;               ///< [arg_max_parts, 8]
  std::int32_t* best_row = nullptr;    ///< [arg_max_parts, 8]
  float* partial = nullptr;  ///< of several members: [hidden] this one's part of a sum, zero between
  std::int32_t* local_next = nullptr;  ///< of several members: [slices] rows of this one's greatest logits
  float2* slots = nullptr;             ///< of several members: [members, slices] (member_layers.hpp)
  Routing routing;                     ///< `active` of the first layer; others kActiveWords apart
  SplitWorkspace split;
  int logits_stride = 0;

 private:
  /// Sets the pointers from `base` on and returns the bytes that they reach over.
  std::size_t assign_device(const ModelConfig& config, std::byte* base);
  std::size_t assign_host(const ModelConfig& config, std::byte* base);
  DeviceMemory device_;
  PinnedMemory host_;
};

}  // namespace sparkmpi::kernels::inference::gpu
