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
/// Rows that a worker reads from the source at once.
constexpr std::size_t kRowsAtOnce = 256;

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

/// Builds the matrices one by one, each worker filling the rows that it will read.
class Weights::Builder {
 public:
  Builder(const ModelShard& shard, const WeightSource& source, host::ThreadTeam& team,
          const Progress& progress)
      : weights_(shard), source_(source), team_(team), progress_(progress), plan_(tensor_plan(shard.whole)) {
    for (const PlannedTensor& tensor : plan_) total_ += tensor.bytes();
  }

  Weights build() {
    source_.check(plan_);
    const ModelConfig& config = weights_.config();
    weights_.layers_.resize(static_cast<std::size_t>(config.layers));
    for (LayerWeights& layer : weights_.layers_)
      layer.feed_forward.resize(static_cast<std::size_t>(config.experts_or_one()));
    hashes_.resize(plan_.size());
    for (std::size_t i = 0; i < plan_.size();) i += place(i);
    for (const std::uint64_t hash : hashes_) weights_.hash_ = extend_hash(weights_.hash_, hash);
    if (config.tied_embeddings) weights_.lm_head_ = rows_of(weights_.embedding_, weights_.shard_.vocabulary);
    return std::move(weights_);
  }

 private:
  /// Puts plan_[index] where it belongs, with those after it that make one matrix with it. Returns how many.
  std::size_t place(std::size_t index) {
    const PlannedTensor& tensor = plan_[index];
    if (tensor.is_vector()) {
      const std::vector<float> values = read_member_vector(source_, tensor, weights_.shard_);
      hashes_[index] = row_hash(values.data(), values.size() * sizeof(float), 0, 0);
      std::vector<float>& to = vector_of(tensor);
      to.insert(to.end(), values.begin(), values.end());
      return 1;
    }
    const std::size_t parts = tensor.role == TensorRole::query ? 3 : tensor.role == TensorRole::gate ? 2 : 1;
    matrix_of(tensor) = matrix(std::span(plan_).subspan(index, parts), hashes_.data() + index);
    for (std::size_t i = index; i < index + parts; ++i) done_ += plan_[i].bytes();
    if (progress_) progress_(static_cast<double>(done_) / static_cast<double>(total_));
    return parts;
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

  /// @param tensors one or several of the same columns, one below the other. @param hashes get each one's.
  Matrix matrix(std::span<const PlannedTensor> tensors, std::uint64_t* hashes) {
    Matrix result;
    result.format = tensors.front().format;
    result.columns = part_of(tensors.front()).columns;
    result.stride = padded(result.columns);
    result.distance = row_distance(result.format, result.columns);
    std::vector<MatrixPart> parts;
    std::vector<std::size_t> first_rows;
    for (const PlannedTensor& tensor : tensors) {
      parts.push_back(part_of(tensor));
      first_rows.push_back(result.rows);
      result.rows += parts.back().rows;
    }
    const std::size_t values = aligned(result.rows * result.distance.values),
                      scales = aligned(result.rows * result.distance.scales),
                      zeros = result.rows * result.distance.zeros;
    std::byte* const data = weights_.buffers_.emplace_back(values + scales + zeros).data();
    result.values = data;
    if (scales > 0) result.scales = data + values;
    if (zeros > 0) result.zeros = data + values + scales;
    const RowBlock all{data,
                       result.distance.values,
                       data + values,
                       result.distance.scales,
                       data + values + scales,
                       result.distance.zeros};
    // Parts are sliced one by one, exactly as the engine slices them (forward.cpp), so that first touch
    // decides the NUMA node in favour of the reader. Padding stays zero: anonymous memory is.
    team_.run([&](int worker) {
      for (std::size_t part = 0; part < parts.size(); ++part) {
        const host::Slice slice = host::slice_of(parts[part].rows, worker, team_.size());
        std::uint64_t hash = 0;
        for (std::size_t row = slice.begin; row < slice.end; row += kRowsAtOnce) {
          const std::size_t rows = std::min(kRowsAtOnce, slice.end - row);
          read_rows(tensors[part], parts[part], row, rows, first_rows[part] + row, all);
          hash += hash_rows(row_bytes(result.format, result.columns), row, rows, first_rows[part] + row, all);
        }
        std::atomic_ref(hashes[part]).fetch_add(hash);
      }
    });
    return result;
  }

  void read_rows(const PlannedTensor& tensor, const MatrixPart& part, std::size_t row, std::size_t rows,
                 std::size_t to_row, RowBlock to) const {
    to.values += to_row * to.values_stride;
    to.scales += to_row * to.scales_stride;
    to.zeros += to_row * to.zeros_stride;
    source_.read(tensor, {part.first_row + row, rows, part.first_column, part.columns}, to);
  }

  /// Of what lies in memory.
  static std::uint64_t hash_rows(const RowBytes& bytes, std::size_t row, std::size_t rows, std::size_t in_row,
                                 const RowBlock& in) {
    std::uint64_t hash = 0;
    for (std::size_t i = 0; i < rows; ++i) {
      hash += row_hash(in.values + (in_row + i) * in.values_stride, bytes.values, 0, row + i);
      hash += row_hash(in.scales + (in_row + i) * in.scales_stride, bytes.scales, 1, row + i);
      hash += row_hash(in.zeros + (in_row + i) * in.zeros_stride, bytes.zeros, 2, row + i);
    }
    return hash;
  }

  Weights weights_;
  const WeightSource& source_;
  host::ThreadTeam& team_;
  const Progress& progress_;
  std::vector<PlannedTensor> plan_;
  std::uint64_t total_ = 0, done_ = 0;
  std::vector<std::uint64_t> hashes_;  ///< of the plan's tensors
};

Weights Weights::load(const ModelShard& shard, const std::filesystem::path& directory, host::ThreadTeam& team,
                      const Progress& progress, LoadMode mode) {
  return Builder(shard, *open_weights(directory, mode), team, progress).build();
}

Weights Weights::synthetic(const ModelShard& shard, std::uint64_t seed, host::ThreadTeam& team,
                           const Progress& progress) {
  return Builder(shard, *synthetic_weights(seed), team, progress).build();
}

std::uint64_t Weights::bytes() const {
  std::uint64_t total = 0;
  for (const host::Buffer& buffer : buffers_) total += buffer.size();
  return total;
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
