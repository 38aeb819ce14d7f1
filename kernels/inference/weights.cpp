#include "kernels/inference/weights.hpp"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>

#include "base/error.hpp"
#include "kernels/inference/matrix_layout.hpp"
#include "kernels/inference/tensor_plan.hpp"
#include "kernels/inference/weight_hash.hpp"
#include "kernels/inference/weight_source.hpp"

namespace sparkmpi::kernels::inference {
namespace {

/// What is read at once ends where a huge page of its place does: two readers that touched the same one first
/// would both clear it.
constexpr std::size_t kHugePage = std::size_t{2} << 20;

/// The NUMA node of each worker's processor.
std::vector<unsigned> nodes_of(host::ThreadTeam& team) {
  std::vector<unsigned> nodes(static_cast<std::size_t>(team.size()));
  team.run([&](int worker) {
    if (getcpu(nullptr, &nodes[static_cast<std::size_t>(worker)]) != 0) throw Error("getcpu failed");
  });
  return nodes;
}

}  // namespace

/// Gives every tensor its place, then fills the places piece by piece, whichever loader of its NUMA node is
/// free.
class Weights::Builder {
 public:
  Builder(const ModelShard& shard, const WeightSource& source, const Progress& progress)
      : weights_(shard), source_(source), progress_(progress), plan_(tensor_plan(shard.whole)) {}

  /// @param nodes those of the workers that will read the weights. @param loaders as many for each of them,
  /// on its processor.
  Weights build(const std::vector<unsigned>& nodes, host::ThreadTeam& loaders) {
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
    std::map<unsigned, Share> shares;
    for (std::size_t tensor = 0; tensor < plan_.size(); ++tensor) cut(tensor, nodes, shares);
    loaders.run([&](int loader) {
      const std::size_t worker =
          static_cast<std::size_t>(loader) * nodes.size() / static_cast<std::size_t>(loaders.size());
      load(shares.at(nodes[worker]), loader == 0);
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
  /// What the loaders of a NUMA node share. They go through a file from front to back, which is what the page
  /// cache reads ahead for.
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
    const RowBlock all = put(matrix, weights_.buffer_.data() + placed_);
    placed_ += bytes_of(matrix);
    std::size_t row = 0;
    for (std::size_t i = index; i < index + count; ++i) {
      const MatrixPart part = matrix_part(weights_.shard_.part_of(plan_[i]));
      places_.push_back(
          {.part = part, .bytes = row_bytes(matrix.format, matrix.columns), .rows = from_row(all, row)});
      row += part.rows;
    }
  }

  /// Nothing for a vector.
  Matrix shape(std::size_t index, std::size_t count) const {
    return plan_[index].is_vector() ? Matrix{}
                                    : shape_of(std::span(plan_).subspan(index, count), weights_.shard_);
  }

  /// Tensors are sliced exactly as the engine slices them (forward.cpp), so that first touch decides the node
  /// in favour of the reader.
  void cut(std::size_t tensor, const std::vector<unsigned>& nodes, std::map<unsigned, Share>& shares) const {
    const Place& place = places_[tensor];
    if (place.vector != nullptr) {
      shares[nodes[tensor % nodes.size()]].pieces.push_back({tensor, 0, 0});
      return;
    }
    const auto workers = static_cast<int>(nodes.size());
    for (int worker = 0; worker < workers; ++worker) {
      std::vector<Piece>& pieces = shares[nodes[static_cast<std::size_t>(worker)]].pieces;
      const host::Slice slice = host::slice_of(place.part.rows, worker, workers);
      const std::size_t stride = place.rows.values_stride;
      for (std::size_t row = slice.begin; row < slice.end;) {
        const auto address = reinterpret_cast<std::uintptr_t>(place.rows.values + row * stride);
        const std::size_t left = kHugePage - address % kHugePage,
                          rows = std::min((left + stride - 1) / stride, slice.end - row);
        pieces.push_back({tensor, row, rows});
        row += rows;
      }
    }
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
  return Builder(shard, *open_weights(directory, mode), progress).build(nodes_of(team), loaders);
}

Weights Weights::synthetic(const ModelShard& shard, std::uint64_t seed, host::ThreadTeam& team,
                           const Progress& progress) {
  return Builder(shard, *synthetic_weights(seed), progress).build(nodes_of(team), team);
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
