#include "kernels/inference/cuda/device_weights.hpp"

#include <fmt/format.h>

namespace sparkmpi::kernels::inference::gpu {
namespace {

std::size_t wide(int value) {
  return static_cast<std::size_t>(value);
}

}  // namespace

/// Where everything lies: shapes first, then one allocation for all matrices and one for all vectors.
class ResidentWeights::Layout {
 public:
  explicit Layout(const ModelShard& shard) : c_(shard.local), vocabulary_(shard.vocabulary) {}

  void shape(ResidentWeights& weights) {
    const int query = c_.heads * c_.head_dim, key = c_.kv_heads * c_.head_dim, inter = c_.intermediate;
    weights.embedding_ = matrix(WeightFormat::bf16, c_.vocab, c_.hidden);
    weights.lm_head_ = matrix(WeightFormat::bf16, static_cast<int>(vocabulary_.size()), c_.hidden);
    weights.layers_.resize(wide(c_.layers));
    for (LayerMatrices& layer : weights.layers_) {
      layer.qkv = matrix(c_.attention_format, query + 2 * key, c_.hidden);
      layer.output = matrix(c_.attention_format, c_.hidden, query);
      const DeviceMatrix gate_up = matrix(c_.mlp_format, 2 * inter, c_.hidden, RowOrder::gate_then_up);
      const DeviceMatrix down = matrix(c_.mlp_format, c_.hidden, inter);
      if (c_.experts > 0) {
        layer.router = matrix(WeightFormat::bf16, c_.experts, c_.hidden);
        layer.expert_gate_up = {gate_up, c_.experts};
        layer.expert_down = {down, c_.experts};
      } else {
        layer.gate_up = gate_up;
        layer.down = down;
      }
    }
  }

  /// Asks for memory in the order of the layers, so that a layer's matrices lie together.
  void reserve(ResidentWeights& weights) {
    const std::size_t hidden = wide(c_.hidden);
    place(weights.embedding_, 1);
    if (!c_.tied_embeddings) place(weights.lm_head_, 1);
    place(weights.final_norm_, hidden);
    for (LayerMatrices& layer : weights.layers_) {
      place(layer.qkv, 1);
      place(layer.output, 1);
      if (c_.experts > 0) {
        place(layer.router, 1);
        place(layer.expert_gate_up.first, c_.experts);
        place(layer.expert_down.first, c_.experts);
      } else {
        place(layer.gate_up, 1);
        place(layer.down, 1);
      }
      place(layer.attention_norm, hidden);
      place(layer.mlp_norm, hidden);
      if (c_.qkv_bias) place(layer.qkv_bias, wide(layer.qkv.rows));
      if (c_.output_bias) place(layer.output_bias, hidden);
      if (c_.attention_sinks) place(layer.sinks, wide(c_.heads));
      if (c_.router_bias) place(layer.router_bias, wide(c_.experts));
      if (c_.mlp_bias) {
        place(layer.gate_up_bias, 2 * wide(c_.experts_or_one()) * wide(c_.intermediate));
        place(layer.down_bias, wide(c_.experts_or_one()) * hidden);
      }
    }
  }

  void allocate(ResidentWeights& weights) {
    weights.matrices_ = DeviceMemory(matrix_bytes_, fmt::format("the weights of {}", c_.name));
    weights.vectors_ =
        DeviceMemory(vector_floats_ * sizeof(float), fmt::format("norms and biases of {}", c_.name));
    for (const auto& [pointer, offset] : matrices_) *pointer = weights.matrices_.as() + offset;
    for (const auto& [pointer, offset] : scales_)
      *pointer = reinterpret_cast<float*>(weights.matrices_.as() + offset);
    for (const auto& [pointer, offset] : vectors_) *pointer = weights.vectors_.as<float>() + offset;
  }

 private:
  static DeviceMatrix matrix(WeightFormat format, int rows, int columns, RowOrder order = RowOrder::plain) {
    DeviceMatrix made;
    made.format = format;
    made.order = order;
    made.rows = rows;
    made.columns = columns;
    return made;
  }
  void place(DeviceMatrix& matrix, int count) {
    check_shape(matrix);
    matrices_.emplace_back(&matrix.data, matrix_bytes_);
    matrix_bytes_ += aligned(data_bytes(matrix) * wide(count));
    if (scale_bytes(matrix) == 0) return;
    scales_.emplace_back(&matrix.scales, matrix_bytes_);
    matrix_bytes_ += aligned(scale_bytes(matrix) * wide(count));
  }
  void place(float*& vector, std::size_t floats) {
    vectors_.emplace_back(&vector, vector_floats_);
    vector_floats_ += aligned(floats * sizeof(float)) / sizeof(float);
  }

  const ModelConfig& c_;
  const Range vocabulary_;
  std::size_t matrix_bytes_ = 0, vector_floats_ = 0;
  std::vector<std::pair<void**, std::size_t>> matrices_;
  std::vector<std::pair<float**, std::size_t>> scales_, vectors_;
};

ResidentWeights::ResidentWeights(int ordinal, const WeightOrigin& origin)
    : shard_(origin.shard), ordinal_(ordinal) {
  const ModelConfig& config = shard_.local;
  Layout layout(shard_);
  layout.shape(*this);
  layout.reserve(*this);
  layout.allocate(*this);
  if (config.tied_embeddings) {
    lm_head_.data = static_cast<std::uint16_t*>(embedding_.data) +
                    static_cast<std::size_t>(shard_.vocabulary.begin) * wide(config.hidden);
  }
  hash_ = fill(origin);
}

}  // namespace sparkmpi::kernels::inference::gpu
