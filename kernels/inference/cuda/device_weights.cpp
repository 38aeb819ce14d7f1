#include "kernels/inference/cuda/device_weights.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "kernels/inference/cuda/device.hpp"
#include "kernels/inference/cuda/plane_hash.hpp"
#include "kernels/inference/cuda/synthesize.hpp"
#include "kernels/inference/weight_hash.hpp"

namespace sparkmpi::kernels::inference::gpu {
namespace {

constexpr std::size_t kAlignment = 256;
constexpr std::size_t kChunkBytes = std::size_t{32} << 20;
constexpr std::size_t kChunks = 3;

constexpr std::size_t aligned(std::size_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

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

/// Walks the plan. Rows that come from the source go through page-locked memory, a chunk being read while
/// others travel.
class ResidentWeights::Loader {
 public:
  Loader(ResidentWeights& weights, const WeightOrigin& origin)
      : weights_(weights),
        config_(weights.shard_.local),
        origin_(origin),
        sums_(origin.plan.size() * sizeof(unsigned long long), "hashes of the weights"),
        host_vectors_(weights.vectors_.bytes() / sizeof(float)) {
    check(cudaMemsetAsync(sums_.as(), 0, sums_.bytes(), stream_), "cudaMemsetAsync");
    const bool packed =
        config_.attention_format != WeightFormat::bf16 || config_.mlp_format != WeightFormat::bf16;
    for (Chunk& chunk : chunks_) {
      if (!origin.seed) chunk.host = PinnedMemory(kChunkBytes, "reading weights");
      if (packed) chunk.device = DeviceMemory(kChunkBytes, "repacking weights");
    }
  }

  std::uint64_t run() {
    std::uint64_t done = 0, all = 0;
    for (const PlannedTensor& tensor : origin_.plan) all += tensor.bytes();
    std::vector<std::uint64_t> hashes(origin_.plan.size());
    for (std::size_t i = 0; i < origin_.plan.size(); ++i) {
      const PlannedTensor& tensor = origin_.plan[i];
      if (tensor.is_vector()) {
        hashes[i] = load_vector(tensor);
      } else {
        load_matrix(tensor, sums_.as<unsigned long long>() + i);
      }
      done += tensor.bytes();
      if (origin_.progress) origin_.progress(static_cast<double>(done) / static_cast<double>(all));
    }
    check(cudaMemcpyAsync(weights_.vectors_.as(), host_vectors_.data(), weights_.vectors_.bytes(),
                          cudaMemcpyHostToDevice, stream_),
          "copy of norms and biases");
    std::vector<unsigned long long> sums(origin_.plan.size());
    check(cudaMemcpyAsync(sums.data(), sums_.as(), sums_.bytes(), cudaMemcpyDeviceToHost, stream_),
          "copy of hashes");
    stream_.wait("loading weights");
    std::uint64_t hash = 0;
    for (std::size_t i = 0; i < sums.size(); ++i) hash = extend_hash(hash, hashes[i] + sums[i]);
    return hash;
  }

 private:
  struct Chunk {
    PinnedMemory host;
    DeviceMemory device;
    Event done;
  };
  struct Place {
    DeviceMatrix matrix;
    int first_row = 0;
  };

  LayerMatrices& layer_of(const PlannedTensor& tensor) { return weights_.layers_[wide(tensor.layer)]; }

  Place place_of(const PlannedTensor& tensor) {
    const int query = config_.heads * config_.head_dim, key = config_.kv_heads * config_.head_dim;
    if (tensor.role == TensorRole::embedding) return {weights_.embedding_, 0};
    if (tensor.role == TensorRole::lm_head) return {weights_.lm_head_, 0};
    const LayerMatrices& layer = layer_of(tensor);
    const bool expert_of = tensor.expert >= 0;
    switch (tensor.role) {
      case TensorRole::query:
        return {layer.qkv, 0};
      case TensorRole::key:
        return {layer.qkv, query};
      case TensorRole::value:
        return {layer.qkv, query + key};
      case TensorRole::output:
        return {layer.output, 0};
      case TensorRole::router:
        return {layer.router, 0};
      case TensorRole::gate:
        return {expert_of ? expert(layer.expert_gate_up, tensor.expert) : layer.gate_up, 0};
      case TensorRole::up:
        return {expert_of ? expert(layer.expert_gate_up, tensor.expert) : layer.gate_up,
                config_.intermediate};
      case TensorRole::down:
        return {expert_of ? expert(layer.expert_down, tensor.expert) : layer.down, 0};
      default:
        throw Error(fmt::format("'{}' is no matrix of this engine", tensor.name));
    }
  }

  float* vector_of(const PlannedTensor& tensor) {
    if (tensor.role == TensorRole::final_norm) return weights_.final_norm_;
    const LayerMatrices& layer = layer_of(tensor);
    const int query = config_.heads * config_.head_dim, key = config_.kv_heads * config_.head_dim,
              inter = config_.intermediate;
    const int number = std::max(0, tensor.expert);
    switch (tensor.role) {
      case TensorRole::attention_norm:
        return layer.attention_norm;
      case TensorRole::mlp_norm:
        return layer.mlp_norm;
      case TensorRole::query_bias:
        return layer.qkv_bias;
      case TensorRole::key_bias:
        return layer.qkv_bias + query;
      case TensorRole::value_bias:
        return layer.qkv_bias + query + key;
      case TensorRole::sinks:
        return layer.sinks;
      case TensorRole::output_bias:
        return layer.output_bias;
      case TensorRole::router_bias:
        return layer.router_bias;
      case TensorRole::gate_bias:
        return layer.gate_up_bias + wide(number) * 2 * wide(inter);
      case TensorRole::up_bias:
        return layer.gate_up_bias + (wide(number) * 2 + 1) * wide(inter);
      case TensorRole::down_bias:
        return layer.down_bias + wide(number) * wide(config_.hidden);
      default:
        throw Error(fmt::format("'{}' is no vector of this engine", tensor.name));
    }
  }

  std::uint64_t load_vector(const PlannedTensor& tensor) {
    const std::vector<float> values = read_member_vector(origin_.source, tensor, origin_.shard);
    if (values.empty()) return 0;  // nor has the device a place for it
    std::ranges::copy(values, host_vectors_.data() + (vector_of(tensor) - weights_.vectors_.as<float>()));
    return row_hash(values.data(), values.size() * sizeof(float), 0, 0);
  }

  void load_matrix(const PlannedTensor& tensor, unsigned long long* sum) {
    const Place place = place_of(tensor);
    const MatrixPart part = matrix_part(origin_.shard.part_of(tensor));
    const RowBytes bytes = row_bytes(tensor.format, part.columns);
    const bool packed = tensor.format != WeightFormat::bf16;
    // BF16 goes where it stays at once; made on the device it needs no chunks.
    const std::size_t most = packed || !origin_.seed
                                 ? std::max<std::size_t>(1, (kChunkBytes - 2 * kAlignment) / bytes.all())
                                 : part.rows;
    for (std::size_t row = 0; row < part.rows; row += most) {
      const std::size_t rows = std::min(most, part.rows - row);
      const MatrixPart piece{part.first_row + row, rows, part.first_column, part.columns};
      std::byte* const final_values =
          static_cast<std::byte*>(place.matrix.data) + (wide(place.first_row) + row) * bytes.values;
      Chunk& chunk = chunks_[next_++ % kChunks];
      const Planes there =
          packed ? planes(chunk.device.as(), bytes, rows) : Planes{final_values, nullptr, nullptr};
      if (origin_.seed) {
        synthesize({*origin_.seed, tensor.name, tensor.fan_in, tensor.gain}, tensor.format, tensor.columns,
                   piece, there, stream_);
      } else {
        read(tensor, piece, bytes, chunk, there.values);
      }
      add_plane_hash(there.values, bytes.values, 0, row, rows, sum, stream_);
      add_plane_hash(there.scales, bytes.scales, 1, row, rows, sum, stream_);
      add_plane_hash(there.zeros, bytes.zeros, 2, row, rows, sum, stream_);
      if (packed) {
        repack(place.matrix, place.first_row + static_cast<int>(row), static_cast<int>(rows),
               {there.values, there.scales, there.zeros}, stream_);
      }
      check(cudaEventRecord(chunk.done, stream_), "cudaEventRecord");
    }
  }

  static Planes planes(std::byte* memory, const RowBytes& bytes, std::size_t rows) {
    const std::size_t scales = aligned(rows * bytes.values), zeros = scales + aligned(rows * bytes.scales);
    return {memory, bytes.scales > 0 ? memory + scales : nullptr, bytes.zeros > 0 ? memory + zeros : nullptr};
  }

  void read(const PlannedTensor& tensor, const MatrixPart& part, const RowBytes& bytes, Chunk& chunk,
            std::byte* to) {
    const std::size_t rows = part.rows;
    check(cudaEventSynchronize(chunk.done), "loading weights");
    const Planes here = planes(chunk.host.as(), bytes, rows);
    origin_.team([&](int worker, int workers) {
      const std::size_t begin = rows * wide(worker) / wide(workers),
                        end = rows * (wide(worker) + 1) / wide(workers);
      if (begin == end) return;
      const RowBlock block{here.values + begin * bytes.values,
                           bytes.values,
                           here.scales == nullptr ? nullptr : here.scales + begin * bytes.scales,
                           bytes.scales,
                           here.zeros == nullptr ? nullptr : here.zeros + begin * bytes.zeros,
                           bytes.zeros};
      origin_.source.read(tensor, {part.first_row + begin, end - begin, part.first_column, part.columns},
                          block);
    });
    const std::size_t all = aligned(rows * bytes.values) + aligned(rows * bytes.scales) + rows * bytes.zeros;
    check(cudaMemcpyAsync(to, here.values, bytes.scales == 0 ? rows * bytes.values : all,
                          cudaMemcpyHostToDevice, stream_),
          "copy of weights");
  }

  ResidentWeights& weights_;
  const ModelConfig& config_;
  const WeightOrigin& origin_;
  Stream stream_;
  std::array<Chunk, kChunks> chunks_;
  std::size_t next_ = 0;
  DeviceMemory sums_;
  std::vector<float> host_vectors_;
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
  hash_ = Loader(*this, origin).run();
}

}  // namespace sparkmpi::kernels::inference::gpu
