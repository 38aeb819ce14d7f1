#include "kernels/inference/model_shard.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"

namespace sparkmpi::kernels::inference {
namespace {

/// Rows of a tile of the GPU's products, and enough for whole vectors everywhere.
constexpr std::int64_t kTileRows = 16;

/// Intermediate units are columns of down: they come in groups that share a scale.
std::int64_t intermediate_grain(const ModelConfig& config) {
  return std::max(kTileRows, static_cast<std::int64_t>(group_columns(config.mlp_format)));
}

Range times(const Range& range, std::int64_t factor) {
  return {range.begin * factor, range.end * factor};
}

std::uint64_t bytes_of(const PlannedTensor& tensor, const MemberPart& part) {
  const auto rows = static_cast<std::uint64_t>(part.rows.size());
  if (tensor.is_vector()) return 2 * rows;
  return rows * row_bytes(tensor.format, static_cast<std::size_t>(part.columns.size())).all();
}

void refuse_too_many(const ModelConfig& config, int size) {
  if (size < 1) throw UsageError(fmt::format("--tp {}: give at least 1", size));
  if (size > config.heads)
    throw UsageError(fmt::format("--tp {}: {} has {} query heads, and a head is not divided; at most --tp {}",
                                 size, config.name, config.heads, config.heads));
  const auto check = [&](std::string_view what, std::int64_t count, std::int64_t grain) {
    const std::int64_t units = (count + grain - 1) / grain;
    if (size <= units) return;
    throw UsageError(
        fmt::format("--tp {}: {} of {} are {} units of {}, which are not divided; at most --tp {}", size,
                    what, config.name, units, grain, units));
  };
  check(fmt::format("the {} intermediate columns", config.intermediate), config.intermediate,
        intermediate_grain(config));
  check(fmt::format("the {} tokens of the vocabulary", config.vocab), config.vocab, kTileRows);
}

/// O's columns are heads: where heads are narrower than a group of its format, a cut may divide a group.
void refuse_half_groups(const ModelConfig& config, int size) {
  const auto group = static_cast<std::int64_t>(group_columns(config.attention_format));
  for (int rank = 0; group > 0 && rank < size; ++rank) {
    const Range heads = shard_heads({rank, size}, config.heads, config.kv_heads).query;
    const Range columns = times(heads, config.head_dim);
    if (columns.begin % group == 0 && columns.end % group == 0) continue;
    throw UsageError(fmt::format(
        "--tp {}: member {} of {} would have heads {} to {}, {} columns of o_proj from {}, and {} "
        "shares scales between {}",
        size, rank, config.name, heads.begin, heads.end - 1, columns.size(), columns.begin,
        to_string(config.attention_format), group));
  }
}

}  // namespace

MatrixPart matrix_part(const MemberPart& part) {
  return {static_cast<std::size_t>(part.rows.begin), static_cast<std::size_t>(part.rows.size()),
          static_cast<std::size_t>(part.columns.begin), static_cast<std::size_t>(part.columns.size())};
}

MemberPart ModelShard::part_of(const PlannedTensor& tensor) const {
  const Range all_rows{0, static_cast<std::int64_t>(tensor.rows)},
      all_columns{0, static_cast<std::int64_t>(tensor.columns)};
  switch (tensor.role) {
    case TensorRole::query:
    case TensorRole::query_bias:
      return {times(heads.query, whole.head_dim), all_columns};
    case TensorRole::key:
    case TensorRole::value:
    case TensorRole::key_bias:
    case TensorRole::value_bias:
      return {times(heads.kv, whole.head_dim), all_columns};
    case TensorRole::sinks:
      return {heads.query, all_columns};
    case TensorRole::output:
      return {all_rows, times(heads.query, whole.head_dim)};
    case TensorRole::gate:
    case TensorRole::up:
    case TensorRole::gate_bias:
    case TensorRole::up_bias:
      return {intermediate, all_columns};
    case TensorRole::down:
      return {all_rows, intermediate};
    case TensorRole::output_bias:
    case TensorRole::down_bias:
      return {member.rank == 0 ? all_rows : Range{}, all_columns};
    case TensorRole::lm_head:
      return {vocabulary, all_columns};
    case TensorRole::embedding:
    case TensorRole::attention_norm:
    case TensorRole::mlp_norm:
    case TensorRole::router:
    case TensorRole::router_bias:
    case TensorRole::final_norm:
      return {all_rows, all_columns, true};
  }
  return {};
}

ModelShard shard_model(const ModelConfig& config, const Shard& member) {
  refuse_too_many(config, member.size);
  refuse_half_groups(config, member.size);
  ModelShard shard;
  shard.member = member;
  shard.whole = shard.local = config;
  shard.heads = shard_heads(member, config.heads, config.kv_heads);
  shard.intermediate = member.part(config.intermediate, intermediate_grain(config));
  shard.vocabulary = member.part(config.vocab, kTileRows);
  shard.local.heads = static_cast<int>(shard.heads.query.size());
  shard.local.kv_heads = static_cast<int>(shard.heads.kv.size());
  shard.local.intermediate = static_cast<int>(shard.intermediate.size());
  shard.local.output_bias = config.output_bias && member.rank == 0;
  for (const PlannedTensor& tensor : tensor_plan(config)) {
    const std::uint64_t bytes = bytes_of(tensor, shard.part_of(tensor));
    shard.weight_bytes += bytes;
    if (tensor.expert == 0 && tensor.layer == 0) shard.expert_bytes += bytes;
    if (tensor.expert < 0 && tensor.role != TensorRole::embedding) shard.step_bytes += bytes;
  }
  if (config.tied_embeddings) {
    shard.step_bytes += static_cast<std::uint64_t>(shard.vocabulary.size()) *
                        row_bytes(WeightFormat::bf16, static_cast<std::size_t>(config.hidden)).all();
  }
  return shard;
}

std::vector<float> read_member_vector(const WeightSource& source, const PlannedTensor& tensor,
                                      const ModelShard& shard) {
  const Range mine = shard.part_of(tensor).rows;
  if (mine.size() == 0) return {};
  const std::vector<float> all = source.read_vector(tensor);
  std::vector<float> values(all.begin() + mine.begin, all.begin() + mine.end);
  if (tensor.role == TensorRole::attention_norm || tensor.role == TensorRole::mlp_norm ||
      tensor.role == TensorRole::final_norm) {
    for (float& value : values) value += shard.whole.norm_offset;
  }
  return values;
}

}  // namespace sparkmpi::kernels::inference
