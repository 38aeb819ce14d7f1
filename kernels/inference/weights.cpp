#include "kernels/inference/weights.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cmath>
#include <cstring>
#include <optional>

#include "base/error.hpp"
#include "kernels/inference/safetensors.hpp"
#include "kernels/inference/synthetic.hpp"

namespace sparkmpi::kernels::inference {
namespace {

std::size_t wide(int value) {
  return static_cast<std::size_t>(value);
}

/// Where one part of a fused matrix comes from: fills rows [first, last) of it.
struct Part {
  std::string name;
  std::size_t rows;
  double gain = 1;
};

/// A source of tensors: a directory or a seed.
class Source {
 public:
  virtual ~Source() = default;
  /// Prepares a tensor of this shape; returns a function that writes row `row` to `to`.
  using RowWriter = std::function<void(std::size_t row, Bf16* to)>;
  virtual RowWriter rows(const std::string& name, std::size_t rows, std::size_t columns,
                         double gain) const = 0;
  virtual std::vector<float> vector(const std::string& name, std::size_t size,
                                    std::optional<float> constant) const = 0;
};

class DirectorySource final : public Source {
 public:
  explicit DirectorySource(const std::filesystem::path& directory) : tensors_(directory) {}

  RowWriter rows(const std::string& name, std::size_t rows, std::size_t columns, double) const override {
    const auto tensor = checked(name, {rows, columns});
    return [tensor, columns](std::size_t row, Bf16* to) { convert(tensor, row * columns, columns, to); };
  }

  std::vector<float> vector(const std::string& name, std::size_t size, std::optional<float>) const override {
    const auto tensor = checked(name, {size});
    std::vector<Bf16> values(size);
    convert(tensor, 0, size, values.data());
    std::vector<float> floats;
    for (const Bf16 value : values) floats.push_back(to_float(value));
    return floats;
  }

 private:
  using Tensor = SafetensorsDirectory::Tensor;

  Tensor checked(const std::string& name, const std::vector<std::uint64_t>& shape) const {
    const Tensor tensor = tensors_.at(name);
    if (tensor.info->shape != shape) {
      throw UsageError(fmt::format("{}: tensor '{}' has the shape [{}], config.json makes it [{}]",
                                   tensor.file, name, fmt::join(tensor.info->shape, ", "),
                                   fmt::join(shape, ", ")));
    }
    if (tensor.info->dtype == DType::other) {
      throw UsageError(fmt::format("{}: tensor '{}' is of type {}; this engine reads BF16, F16 and F32",
                                   tensor.file, name, tensor.info->dtype_name));
    }
    return tensor;
  }

  static void convert(const Tensor& tensor, std::size_t first, std::size_t count, Bf16* to) {
    if (tensor.info->dtype == DType::bf16) {
      std::memcpy(to, tensor.bytes.data() + first * 2, count * 2);
      return;
    }
    for (std::size_t i = 0; i < count; ++i) {
      float value = 0;
      if (tensor.info->dtype == DType::f32) {
        std::memcpy(&value, tensor.bytes.data() + (first + i) * 4, 4);
      } else {
        std::uint16_t half = 0;
        std::memcpy(&half, tensor.bytes.data() + (first + i) * 2, 2);
        value = half_to_float(half);
      }
      to[i] = to_bf16(value);
    }
  }

  SafetensorsDirectory tensors_;
};

class SeedSource final : public Source {
 public:
  explicit SeedSource(std::uint64_t seed) : seed_(seed) {}

  RowWriter rows(const std::string& name, std::size_t, std::size_t columns, double gain) const override {
    const SyntheticTensor tensor(seed_, name, columns, gain);
    return [tensor, columns](std::size_t row, Bf16* to) {
      for (std::size_t i = 0; i < columns; ++i) to[i] = tensor.element(row * columns + i);
    };
  }

  std::vector<float> vector(const std::string& name, std::size_t size,
                            std::optional<float> constant) const override {
    if (constant) return std::vector<float>(size, *constant);
    const SyntheticTensor tensor(seed_, name, 3, 0.1);
    std::vector<float> values;
    for (std::size_t i = 0; i < size; ++i) values.push_back(to_float(tensor.element(i)));
    return values;
  }

 private:
  std::uint64_t seed_;
};

}  // namespace

/// Builds the matrices one by one, each worker filling the rows that it will read.
class Weights::Builder {
 public:
  Builder(const ModelConfig& config, const Source& source, host::ThreadTeam& team, const Progress& progress)
      : weights_(config), source_(source), team_(team), progress_(progress) {}

  Weights build() {
    const ModelConfig& config = weights_.config_;
    const std::size_t hidden = wide(config.hidden), inter = wide(config.intermediate);
    const std::size_t query = wide(config.heads) * wide(config.head_dim),
                      key = wide(config.kv_heads) * wide(config.head_dim);
    const double residual_gain = 1 / std::sqrt(2.0 * config.layers);
    weights_.embedding_ = matrix({{"model.embed_tokens.weight", wide(config.vocab)}}, hidden);
    for (int i = 0; i < config.layers; ++i) {
      const std::string prefix = fmt::format("model.layers.{}.", i);
      LayerWeights layer;
      layer.attention_norm = source_.vector(prefix + "input_layernorm.weight", hidden, 1.0F);
      layer.mlp_norm = source_.vector(prefix + "post_attention_layernorm.weight", hidden, 1.0F);
      layer.qkv = matrix({{prefix + "self_attn.q_proj.weight", query},
                          {prefix + "self_attn.k_proj.weight", key},
                          {prefix + "self_attn.v_proj.weight", key}},
                         hidden);
      if (config.qkv_bias) layer.qkv_bias = biases(prefix, query, key);
      layer.output = matrix({{prefix + "self_attn.o_proj.weight", hidden, residual_gain}}, query);
      layer.gate_up =
          matrix({{prefix + "mlp.gate_proj.weight", inter}, {prefix + "mlp.up_proj.weight", inter}}, hidden);
      layer.down = matrix({{prefix + "mlp.down_proj.weight", hidden, residual_gain}}, inter);
      weights_.layers_.push_back(std::move(layer));
      if (progress_) progress_((i + 1.0) / (config.layers + 1.0));
    }
    weights_.final_norm_ = source_.vector("model.norm.weight", hidden, 1.0F);
    weights_.lm_head_ = config.tied_embeddings ? weights_.embedding_
                                               : matrix({{"lm_head.weight", wide(config.vocab)}}, hidden);
    return std::move(weights_);
  }

 private:
  std::vector<float> biases(const std::string& prefix, std::size_t query, std::size_t key) const {
    std::vector<float> all;
    for (const auto& [name, size] : {std::pair("q", query), std::pair("k", key), std::pair("v", key)}) {
      const auto part =
          source_.vector(fmt::format("{}self_attn.{}_proj.bias", prefix, name), size, std::nullopt);
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  }

  Matrix matrix(const std::vector<Part>& parts, std::size_t columns) {
    Matrix result{nullptr, 0, columns, padded(columns)};
    std::vector<Source::RowWriter> writers;
    std::vector<std::size_t> first_rows;
    for (const Part& part : parts) {
      writers.push_back(source_.rows(part.name, part.rows, columns, part.gain));
      first_rows.push_back(result.rows);
      result.rows += part.rows;
    }
    host::Buffer& buffer = weights_.buffers_.emplace_back(result.rows * result.stride * sizeof(Bf16));
    Bf16* const data = buffer.as<Bf16>().data();
    result.data = data;
    // Parts are sliced one by one, exactly as the engine slices them (host_engine.cpp), so that first touch
    // decides the NUMA node in favour of the reader. Padding stays zero: anonymous memory is.
    team_.run([&](int worker) {
      for (std::size_t part = 0; part < parts.size(); ++part) {
        const host::Slice slice = host::slice_of(parts[part].rows, worker, team_.size());
        for (std::size_t row = slice.begin; row < slice.end; ++row) {
          writers[part](row, data + (first_rows[part] + row) * result.stride);
        }
      }
    });
    return result;
  }

  Weights weights_;
  const Source& source_;
  host::ThreadTeam& team_;
  const Progress& progress_;
};

Weights Weights::load(const ModelConfig& config, const std::filesystem::path& directory,
                      host::ThreadTeam& team, const Progress& progress) {
  const DirectorySource source(directory);
  return Builder(config, source, team, progress).build();
}

Weights Weights::synthetic(const ModelConfig& config, std::uint64_t seed, host::ThreadTeam& team,
                           const Progress& progress) {
  const SeedSource source(seed);
  return Builder(config, source, team, progress).build();
}

std::uint64_t Weights::bytes() const {
  std::uint64_t total = 0;
  for (const host::Buffer& buffer : buffers_) total += buffer.size();
  return total;
}

std::uint64_t Weights::bytes_read_per_step() const {
  std::uint64_t total = lm_head_.bytes() + final_norm_.size() * sizeof(float);
  for (const LayerWeights& layer : layers_) {
    total += layer.qkv.bytes() + layer.output.bytes() + layer.gate_up.bytes() + layer.down.bytes();
    total += (layer.attention_norm.size() + layer.mlp_norm.size() + layer.qkv_bias.size()) * sizeof(float);
  }
  return total;
}

std::uint64_t Weights::hash() const {
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  const auto add_matrix = [&](const Matrix& matrix) {
    for (std::size_t row = 0; row < matrix.rows; ++row)
      XXH3_64bits_update(&state, matrix.row(row), matrix.columns * sizeof(Bf16));
  };
  const auto add_vector = [&](const std::vector<float>& values) {
    XXH3_64bits_update(&state, values.data(), values.size() * sizeof(float));
  };
  add_matrix(embedding_);
  for (const LayerWeights& layer : layers_) {
    for (const Matrix* matrix : {&layer.qkv, &layer.output, &layer.gate_up, &layer.down}) add_matrix(*matrix);
    for (const auto* values : {&layer.attention_norm, &layer.mlp_norm, &layer.qkv_bias}) add_vector(*values);
  }
  add_vector(final_norm_);
  if (!config_.tied_embeddings) add_matrix(lm_head_);
  return XXH3_64bits_digest(&state);
}

}  // namespace sparkmpi::kernels::inference
