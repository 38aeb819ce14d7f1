// Fills a model's places in device memory.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>

#include "base/error.hpp"
#include "kernels/inference/cuda/device.hpp"
#include "kernels/inference/cuda/device_weights.hpp"
#include "kernels/inference/cuda/plane_hash.hpp"
#include "kernels/inference/cuda/synthesize.hpp"
#include "kernels/inference/weight_hash.hpp"

namespace sparkmpi::kernels::inference::gpu {
namespace {

// Long enough that a copy takes many times what it costs to start; and longer for what is made on the device,
// where only kernels have to be started.
constexpr std::size_t kChunkBytes = std::size_t{4} << 20, kSeededChunkBytes = std::size_t{32} << 20;
// One is filled while the other travels.
constexpr std::size_t kChunks = 2;
// Chunks of more would cost more to lock than they bring.
constexpr int kMostLanes = 16;

std::size_t wide(int value) {
  return static_cast<std::size_t>(value);
}

}  // namespace

/// Every reader takes the next piece of the plan, reads it into page-locked memory of its own and sends it
/// off on a stream of its own, with the kernels that hash and repack it behind: the copies of some run beside
/// the kernels of others and the reads of all. Matrices of a seed are made on the device instead.
class ResidentWeights::Loader {
 public:
  Loader(ResidentWeights& weights, const WeightOrigin& origin)
      : weights_(weights),
        config_(weights.shard_.local),
        origin_(origin),
        sums_(origin.plan.size() * sizeof(unsigned long long), "hashes of the weights"),
        host_vectors_(weights.vectors_.bytes() / sizeof(float)),
        hashes_(origin.plan.size()) {
    sums_.clear();
    for (std::size_t i = 0; i < origin.plan.size(); ++i) cut(i);
  }

  std::uint64_t run() {
    if (origin_.seed) {
      load_pieces(0);
    } else {
      origin_.team([&](int worker, int) {
        if (worker < kMostLanes) load_pieces(worker);
      });
    }
    check(cudaMemcpy(weights_.vectors_.as(), host_vectors_.data(), weights_.vectors_.bytes(),
                     cudaMemcpyHostToDevice),
          "copy of norms and biases");
    std::vector<unsigned long long> sums(origin_.plan.size());
    check(cudaMemcpy(sums.data(), sums_.as(), sums_.bytes(), cudaMemcpyDeviceToHost), "copy of hashes");
    std::uint64_t hash = 0;
    for (std::size_t i = 0; i < sums.size(); ++i) hash = extend_hash(hash, hashes_[i] + sums[i]);
    return hash;
  }

 private:
  struct Chunk {
    PinnedMemory host;
    DeviceMemory device;
    Event done;
  };
  /// What a reader works with.
  struct Lane {
    Stream stream;
    std::array<Chunk, kChunks> chunks;
    std::size_t next = 0;
    // Nothing may go while copies still use it.
    ~Lane() { static_cast<void>(cudaStreamSynchronize(stream)); }
  };
  struct Place {
    DeviceMatrix matrix;
    int first_row = 0;
  };
  /// Rows of a matrix's part, or a vector.
  struct Piece {
    std::size_t tensor;
    std::size_t row, rows;
  };

  static bool packed(const PlannedTensor& tensor) { return tensor.format != WeightFormat::bf16; }

  void cut(std::size_t index) {
    const PlannedTensor& tensor = origin_.plan[index];
    if (tensor.is_vector()) {
      pieces_.push_back({index, 0, 0});
      return;
    }
    const MatrixPart part = matrix_part(origin_.shard.part_of(tensor));
    // BF16 goes where it stays at once; made on the device it needs no chunks.
    const std::size_t most = packed(tensor) || !origin_.seed
                                 ? std::max<std::size_t>(1, (chunk_bytes() - 2 * aligned(1)) /
                                                                row_bytes(tensor.format, part.columns).all())
                                 : part.rows;
    for (std::size_t row = 0; row < part.rows; row += most)
      pieces_.push_back({index, row, std::min(most, part.rows - row)});
  }

  void load_pieces(int worker) {
    try {
      check(cudaSetDevice(weights_.ordinal_), "cudaSetDevice");
      Lane lane;
      for (std::size_t i = next_++; i < pieces_.size(); i = next_++) {
        const Piece& piece = pieces_[i];
        if (origin_.plan[piece.tensor].is_vector()) {
          hashes_[piece.tensor] = load_vector(origin_.plan[piece.tensor]);
        } else {
          load_rows(piece, lane);
        }
        if (worker == 0 && origin_.progress)
          origin_.progress(static_cast<double>(i + 1) / static_cast<double>(pieces_.size()));
      }
      lane.stream.wait("loading weights");
    } catch (...) {
      next_ = pieces_.size();  // the others need not go on
      throw;
    }
  }

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

  void load_rows(const Piece& piece, Lane& lane) {
    const PlannedTensor& tensor = origin_.plan[piece.tensor];
    const Place place = place_of(tensor);
    const MatrixPart part = matrix_part(origin_.shard.part_of(tensor));
    const RowBytes bytes = row_bytes(tensor.format, part.columns);
    const MatrixPart rows{part.first_row + piece.row, piece.rows, part.first_column, part.columns};
    Chunk& chunk = lane.chunks[lane.next++ % kChunks];
    if (packed(tensor) && chunk.device.bytes() == 0)
      chunk.device = DeviceMemory(chunk_bytes(), "repacking weights");
    const Planes there = packed(tensor) ? planes(chunk.device.as(), bytes, piece.rows)
                                        : Planes{static_cast<std::byte*>(place.matrix.data) +
                                                     (wide(place.first_row) + piece.row) * bytes.values,
                                                 nullptr, nullptr};
    if (origin_.seed) {
      synthesize({*origin_.seed, tensor.name, tensor.fan_in, tensor.gain}, tensor.format, tensor.columns,
                 rows, there, lane.stream);
    } else {
      send(tensor, rows, bytes, chunk, there.values, lane.stream);
    }
    unsigned long long* const sum = sums_.as<unsigned long long>() + piece.tensor;
    add_plane_hash(there.values, bytes.values, 0, piece.row, piece.rows, sum, lane.stream);
    add_plane_hash(there.scales, bytes.scales, 1, piece.row, piece.rows, sum, lane.stream);
    add_plane_hash(there.zeros, bytes.zeros, 2, piece.row, piece.rows, sum, lane.stream);
    if (packed(tensor)) {
      repack(place.matrix, place.first_row + static_cast<int>(piece.row), static_cast<int>(piece.rows),
             {there.values, there.scales, there.zeros}, lane.stream);
    }
  }

  static Planes planes(std::byte* memory, const RowBytes& bytes, std::size_t rows) {
    const std::size_t scales = aligned(rows * bytes.values), zeros = scales + aligned(rows * bytes.scales);
    return {memory, bytes.scales > 0 ? memory + scales : nullptr, bytes.zeros > 0 ? memory + zeros : nullptr};
  }

  std::size_t chunk_bytes() const { return origin_.seed ? kSeededChunkBytes : kChunkBytes; }

  void send(const PlannedTensor& tensor, const MatrixPart& rows, const RowBytes& bytes, Chunk& chunk,
            std::byte* to, cudaStream_t stream) {
    if (chunk.host.bytes() == 0) chunk.host = PinnedMemory(kChunkBytes, "reading weights");
    check(cudaEventSynchronize(chunk.done), "loading weights");
    const Planes here = planes(chunk.host.as(), bytes, rows.rows);
    origin_.source.read(tensor, rows,
                        {here.values, bytes.values, here.scales, bytes.scales, here.zeros, bytes.zeros});
    const std::size_t all =
        aligned(rows.rows * bytes.values) + aligned(rows.rows * bytes.scales) + rows.rows * bytes.zeros;
    check(cudaMemcpyAsync(to, here.values, bytes.scales == 0 ? rows.rows * bytes.values : all,
                          cudaMemcpyHostToDevice, stream),
          "copy of weights");
    check(cudaEventRecord(chunk.done, stream), "cudaEventRecord");
  }

  ResidentWeights& weights_;
  const ModelConfig& config_;
  const WeightOrigin& origin_;
  DeviceMemory sums_;
  std::vector<float> host_vectors_;
  std::vector<std::uint64_t> hashes_;  ///< of the vectors
  std::vector<Piece> pieces_;
  std::atomic<std::size_t> next_{0};
};

std::uint64_t ResidentWeights::fill(const WeightOrigin& origin) {
  return Loader(*this, origin).run();
}

}  // namespace sparkmpi::kernels::inference::gpu
