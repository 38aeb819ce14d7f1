#include "kernels/inference/weights.hpp"

#include <algorithm>
#include <atomic>

#include "kernels/inference/tensor_plan.hpp"
#include "kernels/inference/weight_hash.hpp"
#include "kernels/inference/weight_source.hpp"

namespace sparkmpi::kernels::inference {
namespace {

/// Planes of a matrix begin at cache lines.
constexpr std::size_t kAlignment = 64;
/// What is read at once ends where a huge page of its place does: two readers that touched the same one first
/// would both clear it.
constexpr std::size_t kHugePage = std::size_t{2} << 20;

std::size_t aligned(std::size_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

/// Bytes from row to row: values of padded rows. (A format with groups has no padding: they are multiples of
/// 32 columns.)
RowBytes row_distance(WeightFormat format, std::size_t columns) {
  RowBytes distance = row_bytes(format, columns);
  distance.values = row_bytes(format, padded(columns)).values;
  return distance;
}

}  // namespace

/// Gives every tensor its place, then fills the places piece by piece, whichever loader of a worker is free.
class Weights::Builder {
 public:
  Builder(const ModelShard& shard, const WeightSource& source, const Progress& progress)
      : weights_(shard), source_(source), progress_(progress), plan_(tensor_plan(shard.whole)) {}

  /// @param workers that will read the weights. @param loaders as many for each of them, on its processor.
  Weights build(int workers, host::ThreadTeam& loaders) {
    source_.check(plan_);
    const ModelConfig& config = weights_.config();
    weights_.layers_.resize(static_cast<std::size_t>(config.layers));
    for (LayerWeights& layer : weights_.layers_)
      layer.feed_forward.resize(static_cast<std::size_t>(config.experts_or_one()));
    hashes_.resize(plan_.size());
    std::size_t bytes = 0;
    for_groups([&](std::size_t index, std::size_t count) { bytes += bytes_of(shape(index, count)); });
    weights_.buffer_ = host::Buffer(bytes);
    for_groups([&](std::size_t index, std::size_t count) { place(index, count); });
    std::vector<Share> shares(static_cast<std::size_t>(workers));
    for (int worker = 0; worker < workers; ++worker)
      shares[static_cast<std::size_t>(worker)].pieces = pieces_of(worker, workers);
    loaders.run([&](int loader) {
      load(shares[static_cast<std::size_t>(loader * workers / loaders.size())], loader == 0);
    });
    for (const std::uint64_t hash : hashes_) weights_.hash_ = extend_hash(weights_.hash_, hash);
    if (config.tied_embeddings) weights_.lm_head_ = rows_of(weights_.embedding_, weights_.shard_.vocabulary);
    return std::move(weights_);
  }

 private:
  /// Where a tensor's values go.
  struct Place {
    std::vector<float>* vector = nullptr;  ///< null: to `rows`
    std::size_t first = 0;                 ///< of the vector's elements
    MatrixPart part{};                     ///< of the tensor
    RowBytes bytes{};                      ///< of its rows
    RowBlock rows{};                       ///< from the part's first row on
  };
  /// Rows of a matrix's part, or a vector.
  struct Piece {
    std::size_t tensor, row, rows;
  };
  /// What a worker's loaders share.
  struct Share {
    std::vector<Piece> pieces;
    std::atomic<std::size_t> next{0};
  };

  /// use(index, count) for the tensors of the plan that make one matrix, and for each vector.
  template <class Use>
  void for_groups(Use use) const {
    for (std::size_t index = 0; index < plan_.size();) {
      const TensorRole role = plan_[index].role;
      const std::size_t count = role == TensorRole::query ? 3 : role == TensorRole::gate ? 2 : 1;
      use(index, count);
      index += count;
    }
  }

  void place(std::size_t index, std::size_t count) {
    const PlannedTensor& tensor = plan_[index];
    if (tensor.is_vector()) {
      std::vector<float>& to = vector_of(tensor);
      places_.push_back({.vector = &to, .first = to.size()});
      to.resize(to.size() + static_cast<std::size_t>(weights_.shard_.part_of(tensor).rows.size()));
      return;
    }
    Matrix& matrix = matrix_of(tensor) = shape(index, count);
    std::byte* const values = weights_.buffer_.data() + placed_;
    std::byte* const scales = values + aligned(matrix.rows * matrix.distance.values);
    std::byte* const zeros = scales + aligned(matrix.rows * matrix.distance.scales);
    placed_ += bytes_of(matrix);
    matrix.values = values;
    if (matrix.distance.scales > 0) matrix.scales = scales;
    if (matrix.distance.zeros > 0) matrix.zeros = zeros;
    std::size_t row = 0;
    for (std::size_t i = index; i < index + count; ++i) {
      const MatrixPart part = part_of(plan_[i]);
      const RowBlock all{values, matrix.distance.values, scales, matrix.distance.scales,
                         zeros,  matrix.distance.zeros};
      places_.push_back(
          {.part = part, .bytes = row_bytes(matrix.format, matrix.columns), .rows = from_row(all, row)});
      row += part.rows;
    }
  }

  /// A matrix without memory; nothing for a vector.
  Matrix shape(std::size_t index, std::size_t count) const {
    Matrix result;
    if (plan_[index].is_vector()) return result;
    result.format = plan_[index].format;
    result.columns = part_of(plan_[index]).columns;
    result.stride = padded(result.columns);
    result.distance = row_distance(result.format, result.columns);
    for (std::size_t i = index; i < index + count; ++i) result.rows += part_of(plan_[i]).rows;
    return result;
  }

  static std::size_t bytes_of(const Matrix& matrix) {
    return aligned(matrix.rows * matrix.distance.values) + aligned(matrix.rows * matrix.distance.scales) +
           aligned(matrix.rows * matrix.distance.zeros);
  }

  /// Tensors are sliced one by one, exactly as the engine slices them (forward.cpp), so that first touch
  /// decides the NUMA node in favour of the reader.
  std::vector<Piece> pieces_of(int worker, int workers) const {
    std::vector<Piece> pieces;
    for (std::size_t i = 0; i < plan_.size(); ++i) {
      if (places_[i].vector != nullptr) {
        if (i % static_cast<std::size_t>(workers) == static_cast<std::size_t>(worker))
          pieces.push_back({i, 0, 0});
        continue;
      }
      const RowBlock& to = places_[i].rows;
      const host::Slice slice = host::slice_of(places_[i].part.rows, worker, workers);
      for (std::size_t row = slice.begin; row < slice.end;) {
        const auto address = reinterpret_cast<std::uintptr_t>(to.values + row * to.values_stride);
        const std::size_t left = kHugePage - address % kHugePage,
                          rows = std::min((left + to.values_stride - 1) / to.values_stride, slice.end - row);
        pieces.push_back({i, row, rows});
        row += rows;
      }
    }
    return pieces;
  }

  void load(Share& share, bool reports) {
    const std::size_t count = share.pieces.size();
    for (std::size_t i = share.next++; i < count && !failed_; i = share.next++) {
      const Piece& piece = share.pieces[i];
      try {
        std::atomic_ref(hashes_[piece.tensor]).fetch_add(fill(piece));
      } catch (...) {
        failed_ = true;
        throw;
      }
      if (reports && progress_) progress_(static_cast<double>(i + 1) / static_cast<double>(count));
    }
  }

  /// Returns what the piece adds to its tensor's hash. Padding stays zero: anonymous memory is.
  std::uint64_t fill(const Piece& piece) const {
    const PlannedTensor& tensor = plan_[piece.tensor];
    const Place& place = places_[piece.tensor];
    if (place.vector != nullptr) {
      const std::vector<float> values = read_member_vector(source_, tensor, weights_.shard_);
      std::ranges::copy(values, place.vector->begin() + static_cast<std::ptrdiff_t>(place.first));
      return row_hash(values.data(), values.size() * sizeof(float), 0, 0);
    }
    const RowBlock to = from_row(place.rows, piece.row);
    source_.read(tensor,
                 {place.part.first_row + piece.row, piece.rows, place.part.first_column, place.part.columns},
                 to);
    std::uint64_t hash = 0;
    for (std::size_t i = 0; i < piece.rows; ++i) {
      const RowBlock row = from_row(to, i);
      hash += row_hash(row.values, place.bytes.values, 0, piece.row + i);
      hash += row_hash(row.scales, place.bytes.scales, 1, piece.row + i);
      hash += row_hash(row.zeros, place.bytes.zeros, 2, piece.row + i);
    }
    return hash;
  }

  static RowBlock from_row(RowBlock block, std::size_t row) {
    block.values += row * block.values_stride;
    block.scales += row * block.scales_stride;
    block.zeros += row * block.zeros_stride;
    return block;
  }

  Matrix& matrix_of(const PlannedTensor& tensor) {
    switch (tensor.role) {
      case TensorRole::embedding:
        return weights_.embedding_;
      case TensorRole::lm_head:
        return weights_.lm_head_;
      case TensorRole::query:
        return layer_of(tensor).qkv;
      case TensorRole::output:
        return layer_of(tensor).output;
      case TensorRole::router:
        return layer_of(tensor).router;
      case TensorRole::gate:
        return feed_forward_of(tensor).gate_up;
      default:
        return feed_forward_of(tensor).down;
    }
  }

  std::vector<float>& vector_of(const PlannedTensor& tensor) {
    switch (tensor.role) {
      case TensorRole::final_norm:
        return weights_.final_norm_;
      case TensorRole::attention_norm:
        return layer_of(tensor).attention_norm;
      case TensorRole::mlp_norm:
        return layer_of(tensor).mlp_norm;
      case TensorRole::sinks:
        return layer_of(tensor).sinks;
      case TensorRole::output_bias:
        return layer_of(tensor).output_bias;
      case TensorRole::router_bias:
        return layer_of(tensor).router_bias;
      case TensorRole::gate_bias:
      case TensorRole::up_bias:
        return feed_forward_of(tensor).gate_up_bias;
      case TensorRole::down_bias:
        return feed_forward_of(tensor).down_bias;
      default:
        return layer_of(tensor).qkv_bias;
    }
  }

  LayerWeights& layer_of(const PlannedTensor& tensor) {
    return weights_.layers_[static_cast<std::size_t>(tensor.layer)];
  }
  FeedForwardWeights& feed_forward_of(const PlannedTensor& tensor) {
    return layer_of(tensor).feed_forward[static_cast<std::size_t>(std::max(tensor.expert, 0))];
  }

  static Matrix rows_of(const Matrix& matrix, const Range& rows) {
    Matrix part = matrix;
    part.values += static_cast<std::size_t>(rows.begin) * matrix.distance.values;
    part.rows = static_cast<std::size_t>(rows.size());
    return part;
  }

  MatrixPart part_of(const PlannedTensor& tensor) const {
    return matrix_part(weights_.shard_.part_of(tensor));
  }

  Weights weights_;
  const WeightSource& source_;
  const Progress& progress_;
  std::vector<PlannedTensor> plan_;
  std::vector<Place> places_;          ///< of the plan's tensors
  std::vector<std::uint64_t> hashes_;  ///< likewise
  std::size_t placed_ = 0;             ///< bytes of the buffer
  std::atomic<bool> failed_{false};
};

Weights Weights::load(const ModelShard& shard, const std::filesystem::path& directory, host::ThreadTeam& team,
                      const Progress& progress, LoadMode mode) {
  host::ThreadTeam loaders(reader_cpus(team.cpus()));
  return Builder(shard, *open_weights(directory, mode), progress).build(team.size(), loaders);
}

Weights Weights::synthetic(const ModelShard& shard, std::uint64_t seed, host::ThreadTeam& team,
                           const Progress& progress) {
  return Builder(shard, *synthetic_weights(seed), progress).build(team.size(), team);
}

std::uint64_t Weights::expert_bytes() const {
  if (config().experts == 0) return 0;
  const FeedForwardWeights& one = layers_.front().feed_forward.front();
  return one.gate_up.bytes() + one.down.bytes() +
         (one.gate_up_bias.size() + one.down_bias.size()) * sizeof(float);
}

std::uint64_t Weights::bytes_read_per_step(int distinct_experts) const {
  std::uint64_t total = lm_head_.bytes() + final_norm_.size() * sizeof(float);
  for (const LayerWeights& layer : layers_) {
    total += layer.qkv.bytes() + layer.output.bytes() + layer.router.bytes();
    for (const auto* values : {&layer.attention_norm, &layer.mlp_norm, &layer.qkv_bias, &layer.output_bias,
                               &layer.router_bias, &layer.sinks})
      total += values->size() * sizeof(float);
    const FeedForwardWeights& one = layer.feed_forward.front();
    total += config().experts > 0 ? static_cast<std::uint64_t>(distinct_experts) * expert_bytes()
                                  : one.gate_up.bytes() + one.down.bytes();
  }
  return total;
}

}  // namespace sparkmpi::kernels::inference
