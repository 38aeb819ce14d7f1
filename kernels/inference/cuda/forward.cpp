#include "kernels/inference/cuda/forward.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "kernels/inference/cuda/device.hpp"
#include "kernels/inference/cuda/members/member_layers.hpp"
#include "kernels/inference/rope.hpp"

namespace sparkmpi::kernels::inference::gpu {
namespace {

/// A matrix in another format becomes BF16 this much at a time.
constexpr std::size_t kWidenedBytes = std::size_t{128} << 20;

std::size_t wide(int value) {
  return static_cast<std::size_t>(value);
}

Activation activation_of(const ModelConfig& config) {
  switch (config.activation) {
    case inference::Activation::silu:
      return Activation::silu;
    case inference::Activation::gelu_tanh:
      return Activation::gelu_tanh;
    case inference::Activation::swiglu_clamped:
      return Activation::clamped_swiglu;
  }
  return Activation::silu;
}

bool quantised(const ModelConfig& config) {
  return config.attention_format != WeightFormat::bf16 || config.mlp_format != WeightFormat::bf16;
}

int device_attribute(cudaDeviceAttr attribute) {
  int device = 0, value = 0;
  check(cudaGetDevice(&device), "cudaGetDevice");
  check(cudaDeviceGetAttribute(&value, attribute, device), "cudaDeviceGetAttribute");
  return value;
}

}  // namespace

KvLayer KvMemory::layer(int index, const ModelConfig& config) const {
  const std::size_t bytes = memory.bytes() / wide(config.layers);
  return {memory.as() + bytes * wide(index), type, block_tokens, config.kv_heads, width};
}

/// What every part of one pass needs.
struct Forward::Step {
  const Pass& pass;
  const StepMemory& memory;
  StepTokens tokens;
  Launch launch;
  bool few;  ///< the products of products.hpp take all tokens at once
};

Forward::Forward(const ResidentWeights& weights, const KvMemory& kv, AllReduce* sums)
    : weights_(weights),
      kv_(kv),
      config_(weights.config()),
      sums_(sums),
      multiprocessors_(device_attribute(cudaDevAttrMultiProcessorCount)),
      programmatic_(device_attribute(cudaDevAttrComputeCapabilityMajor) >= 9),
      expert_products_(products_) {
  const std::vector<double> frequencies = rope_frequencies(config_);
  frequencies_ = DeviceMemory(frequencies.size() * sizeof(double), "rotary frequencies");
  check(cudaMemcpy(frequencies_.as(), frequencies.data(), frequencies_.bytes(), cudaMemcpyHostToDevice),
        "cudaMemcpy");
  if (quantised(config_)) widened_ = DeviceMemory(kWidenedBytes, "widened weights");
}

void Forward::run(const Pass& pass, const StepMemory& memory, const std::int32_t* tables, int table_stride,
                  cudaStream_t stream) {
  const Step step{pass,
                  memory,
                  {memory.device_positions, memory.device_rows, tables, table_stride},
                  {stream, programmatic_},
                  pass.tokens <= kMostVectors};
  StepStart start;
  start.ids = memory.ids;
  start.positions = memory.positions;
  start.rows = memory.rows;
  start.device_ids = memory.device_ids;
  start.device_positions = memory.device_positions;
  start.device_rows = memory.device_rows;
  start.embedding = static_cast<const std::uint16_t*>(weights_.embedding().data);
  start.embedding_scale = config_.embedding_scale;
  start.hidden = config_.hidden;
  start.residual = to_residual(step, nullptr, weights_.layer(0).attention_norm);
  start.frequencies = frequencies_.as<double>();
  start.rotation_magnitude = config_.rope_attention_factor;
  start.pairs = config_.head_dim / 2;
  start.rotation = memory.rotation;
  start_step(start, pass.tokens, step.launch);
  for (int layer = 0; layer < config_.layers; ++layer) {
    attention(step, layer);
    feed_forward(
        step, layer,
        layer + 1 < config_.layers ? weights_.layer(layer + 1).attention_norm : weights_.final_norm());
  }
  predict(step);
}

void Forward::attention(const Step& step, int number) {
  const LayerMatrices& layer = weights_.layer(number);
  const StepMemory& m = step.memory;
  const int tokens = step.pass.tokens, hidden = config_.hidden, query = config_.heads * config_.head_dim;
  const auto eps = static_cast<float>(config_.norm_eps);
  if (step.few) {
    products_.multiply(layer.qkv, {m.input, hidden, m.squares, square_count(hidden), eps}, tokens,
                       StoreOutput{m.qkv, layer.qkv.rows, layer.qkv_bias}, step.launch);
  } else {
    rms_norm(m.residual, hidden, layer.attention_norm, eps, nullptr, tokens, m.input, step.launch);
    many(step, layer.qkv, m.input, m.qkv, ProductType::fp32, false);
    if (layer.qkv_bias != nullptr) add_bias(m.qkv, layer.qkv.rows, tokens, layer.qkv_bias, step.launch);
  }

  AttentionInput input;
  input.qkv = m.qkv;
  input.stride = layer.qkv.rows;
  input.heads = config_.heads;
  input.head_dim = config_.head_dim;
  input.rotation = m.rotation;
  input.tokens = step.tokens;
  input.kv = kv_.layer(number, config_);
  input.window = static_cast<int>(std::min<std::int64_t>(config_.window_of(number), 1 << 30));
  input.sinks = layer.sinks;
  input.out = m.attended;
  input.out_stride = query;
  const int decoding = step.pass.decoding;
  if (decoding > 0) {
    const int splits =
        context_splits(multiprocessors_, config_.kv_heads, config_.heads / config_.kv_heads, decoding);
    decode_attention(input, decoding, splits, m.split, step.launch);
  }
  if (step.pass.tiles > 0) {
    rotate_and_append(input, decoding, tokens - decoding, step.launch);
    prefill_attention(input, m.device_tiles, step.pass.tiles, step.launch);
  }

  const ResidualOutput output = block_output(step, layer.output_bias, layer.mlp_norm);
  if (step.few) {
    products_.multiply(layer.output, {m.attended, query, nullptr, 0, 0}, tokens, output, step.launch);
  } else {
    many(step, layer.output, m.attended, output.residual, ProductType::fp32, true);
    if (layer.output_bias != nullptr)
      add_bias(output.residual, hidden, tokens, layer.output_bias, step.launch);
  }
  finish_block(step, layer.mlp_norm);
}

ResidualOutput Forward::block_output(const Step& step, const float* bias, const float* next_norm) const {
  if (sums_ == nullptr) return to_residual(step, bias, next_norm);
  return {step.memory.partial, config_.hidden, bias, nullptr, nullptr, nullptr};
}

ResidualOutput Forward::to_residual(const Step& step, const float* bias, const float* next_norm) const {
  const StepMemory& m = step.memory;
  if (!step.few) return {m.residual, config_.hidden, bias, nullptr, nullptr, nullptr};
  return {m.residual, config_.hidden, bias, next_norm, m.input, m.squares};
}

void Forward::finish_block(const Step& step, const float* next_norm) {
  if (sums_ == nullptr) return;
  sums_->add(step.memory.partial, step.pass.tokens, config_.hidden, to_residual(step, nullptr, next_norm),
             step.launch);
}

void Forward::feed_forward(const Step& step, int number, const float* next_norm) {
  const LayerMatrices& layer = weights_.layer(number);
  const StepMemory& m = step.memory;
  const int tokens = step.pass.tokens, hidden = config_.hidden, inter = config_.intermediate;
  const auto eps = static_cast<float>(config_.norm_eps);
  const ResidualOutput output = block_output(step, layer.down_bias, next_norm);
  if (!step.few) rms_norm(m.residual, hidden, layer.mlp_norm, eps, nullptr, tokens, m.input, step.launch);
  if (config_.experts > 0) {
    experts(step, layer, output, number);
  } else if (step.few) {
    products_.multiply(layer.gate_up, {m.input, hidden, m.squares, square_count(hidden), eps}, tokens,
                       GatedOutput{m.activated, inter, layer.gate_up_bias, activation_of(config_)},
                       step.launch);
    products_.multiply(layer.down, {m.activated, inter, nullptr, 0, 0}, tokens, output, step.launch);
  } else {
    many(step, layer.gate_up, m.input, m.gate_up, ProductType::bf16, false);
    activate(m.gate_up, inter, tokens, layer.gate_up_bias, activation_of(config_), m.activated, step.launch);
    many(step, layer.down, m.activated, output.residual, ProductType::fp32, true);
    if (layer.down_bias != nullptr) add_bias(output.residual, hidden, tokens, layer.down_bias, step.launch);
  }
  finish_block(step, next_norm);
}

void Forward::prescribe_experts(std::optional<int> shift) {
  prescribed_ = PrescribedRouting::of(config_.experts, config_.experts_per_token, shift);
}

void Forward::experts(const Step& step, const LayerMatrices& layer, const ResidualOutput& output,
                      int number) {
  const StepMemory& m = step.memory;
  const int tokens = step.pass.tokens, hidden = config_.hidden, inter = config_.intermediate;
  VectorInput input{m.input, hidden, nullptr, 0, 0};
  Routing routing = m.routing;
  routing.active += number * kActiveWords;
  if (step.few) {
    input = {m.input, hidden, m.squares, square_count(hidden), static_cast<float>(config_.norm_eps)};
    products_.multiply(layer.router, input, tokens,
                       StoreOutput{m.router_logits, config_.experts, layer.router_bias}, step.launch);
  } else {
    many(step, layer.router, m.input, m.router_logits, ProductType::fp32, false);
    if (layer.router_bias != nullptr)
      add_bias(m.router_logits, config_.experts, tokens, layer.router_bias, step.launch);
  }
  if (prescribed_) prescribe(m.router_logits, tokens, m.device_positions, number, *prescribed_, step.launch);
  expert_products_.route(m.router_logits, tokens, config_.experts, RouterOrder::top_k_then_softmax, routing,
                         step.launch);
  if (!step.few) count_experts(routing.groups, config_.experts, m.experts_read + number, step.launch);
  expert_products_.gate_up(layer.expert_gate_up, input, tokens, routing,
                           GatedOutput{m.activated, inter, layer.gate_up_bias, activation_of(config_)},
                           step.launch);
  expert_products_.down(layer.expert_down, {m.activated, inter, nullptr, 0, 0}, tokens, routing, output,
                        m.pairs, step.launch);
}

void Forward::predict(const Step& step) {
  const StepMemory& m = step.memory;
  const int slices = step.pass.slices, hidden = config_.hidden;
  const auto eps = static_cast<float>(config_.norm_eps);
  const bool prepared = step.few && step.pass.every_token;
  if (!prepared) {
    rms_norm(m.residual, hidden, weights_.final_norm(), eps, step.pass.every_token ? nullptr : m.device_last,
             slices, m.input, step.launch);
  }
  std::int32_t* const next = sums_ == nullptr ? m.next : m.local_next;
  if (slices <= kMostVectors) {
    const VectorInput input = prepared ? VectorInput{m.input, hidden, m.squares, square_count(hidden), eps}
                                       : VectorInput{m.input, hidden, nullptr, 0, 0};
    const ArgMaxOutput output{m.best, m.best_row, m.logits, m.logits_stride};
    products_.multiply(weights_.lm_head(), input, slices, output, step.launch);
    products_.arg_max(output, slices, next, step.launch);
  } else {
    const DeviceMatrix& head = weights_.lm_head();
    matrix_products_.multiply({static_cast<const std::uint16_t*>(head.data), head.rows, head.columns, m.input,
                               slices, m.logits, m.logits_stride, ProductType::fp32, false},
                              step.launch.stream);
    arg_max_rows(m.logits, head.rows, m.logits_stride, slices, next, step.launch);
  }
  if (sums_ != nullptr) choose(step);
  if (config_.experts > 0 && step.few)
    gather_expert_counts(m.routing.active, kActiveWords, config_.layers, m.experts_read, step.launch);
}

void Forward::choose(const Step& step) {
  const StepMemory& m = step.memory;
  const Shard& member = weights_.shard().member;
  const int slices = step.pass.slices;
  const VocabularyPart part{member.rank, member.size, static_cast<int>(weights_.shard().vocabulary.begin)};
  offer_best(m.local_next, m.logits, m.logits_stride, slices, part, m.slots, step.launch);
  sums_->sum(&m.slots->x, 2 * wide(member.size) * wide(slices), step.launch);
  // What a sum ends with may be no kernel of ours.
  choose_best(m.slots, member.size, slices, m.next, {step.launch.stream, false});
}

void Forward::many(const Step& step, const DeviceMatrix& matrix, const std::uint16_t* x, void* y,
                   ProductType type, bool accumulate) {
  MatrixProduct product{static_cast<const std::uint16_t*>(matrix.data),
                        matrix.rows,
                        matrix.columns,
                        x,
                        step.pass.tokens,
                        y,
                        matrix.rows,
                        type,
                        accumulate};
  if (matrix.format == WeightFormat::bf16) return matrix_products_.multiply(product, step.launch.stream);
  const std::size_t most = kWidenedBytes / (2 * wide(matrix.columns));
  const std::size_t element = type == ProductType::fp32 ? sizeof(float) : sizeof(std::uint16_t);
  for (std::size_t row = 0; row < wide(matrix.rows); row += most) {
    product.rows = static_cast<int>(std::min(most, wide(matrix.rows) - row));
    to_bf16(matrix, static_cast<int>(row), product.rows, widened_.as<std::uint16_t>(), step.launch.stream);
    product.matrix = widened_.as<std::uint16_t>();
    product.y = static_cast<std::byte*>(y) + row * element;
    matrix_products_.multiply(product, step.launch.stream);
  }
}

}  // namespace sparkmpi::kernels::inference::gpu
