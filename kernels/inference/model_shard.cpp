#include "kernels/inference/model_shard.hpp"

#include <fmt/format.h>

#include "base/error.hpp"

namespace sparkmpi::kernels::inference {
namespace {

/// Rows that a GPU's products take at once (linear/device_matrix.hpp).
constexpr std::int64_t kTileRows = 16;

/// Bounds of column parts: where a tile of 16 gate and up rows ends, and whole groups; of int4_awq an even
/// number of them, whose zero points share a byte.
std::int64_t column_grain(WeightFormat format) {
  switch (format) {
    case WeightFormat::int4_awq:
      return 256;
    case WeightFormat::mxfp4:
      return 32;
    default:
      return 16;
  }
}

[[noreturn]] void refuse(const ModelConfig& config, int size, std::int64_t units, const char* what) {
  throw UsageError(fmt::format("--tp {}: {} has {} {} to divide; take at most as many ranks", size,
                               config.name, units, what));
}

/// Column bounds of the output projection follow from the heads.
void check_heads(const ModelConfig& config, int size) {
  const std::int64_t grain = column_grain(config.attention_format);
  if (group_columns(config.attention_format) == 0) return;
  for (int rank = 0; rank + 1 < size; ++rank) {
    const std::int64_t bound = shard_heads({rank, size}, config.heads, config.kv_heads).query.end;
    if (bound * config.head_dim % grain == 0) continue;
    throw UsageError(fmt::format(
        "--tp {}: {} in {} can be divided every {} columns of the output projection, and {} heads of {} "
        "elements end between them",
        size, config.name, to_string(config.attention_format), grain, bound, config.head_dim));
  }
}

MatrixPart rows_of(const PlannedTensor& tensor, const Range& range, std::int64_t unit = 1) {
  return {static_cast<std::size_t>(range.begin * unit), static_cast<std::size_t>(range.size() * unit), 0,
          tensor.columns};
}
MatrixPart columns_of(const PlannedTensor& tensor, const Range& range, std::int64_t unit = 1) {
  return {0, tensor.rows, static_cast<std::size_t>(range.begin * unit),
          static_cast<std::size_t>(range.size() * unit)};
}

}  // namespace

ModelShard shard_model(const ModelConfig& config, const Shard& member) {
  ModelShard shard;
  shard.member = member;
  const std::int64_t grain = column_grain(config.mlp_format),
                     units = (config.intermediate + grain - 1) / grain;
  if (member.size > config.heads) refuse(config, member.size, config.heads, "query heads");
  if (member.size > units)
    refuse(config, member.size, units, fmt::format("parts of {} intermediate columns", grain).c_str());
  const std::int64_t tiles = (config.vocab + kTileRows - 1) / kTileRows;
  if (member.size > tiles)
    refuse(config, member.size, tiles,
           fmt::format("parts of {} tokens of its vocabulary", kTileRows).c_str());
  shard.heads = shard_heads(member, config.heads, config.kv_heads);
  shard.intermediate = member.part(config.intermediate, grain);
  shard.vocabulary = member.part(config.vocab, kTileRows);
  check_heads(config, member.size);
  shard.local = config;
  shard.local.heads = static_cast<int>(shard.heads.query.size());
  shard.local.kv_heads = static_cast<int>(shard.heads.kv.size());
  shard.local.intermediate = static_cast<int>(shard.intermediate.size());
  shard.local.lm_head_rows = static_cast<int>(shard.vocabulary.size());
  return shard;
}

MatrixPart part_of(const PlannedTensor& tensor, const ModelShard& shard) {
  const int head = shard.local.head_dim;
  const MatrixPart whole{0, tensor.rows, 0, tensor.columns};
  switch (tensor.role) {
    case TensorRole::query:
    case TensorRole::query_bias:
      return rows_of(tensor, shard.heads.query, head);
    case TensorRole::key:
    case TensorRole::value:
    case TensorRole::key_bias:
    case TensorRole::value_bias:
      return rows_of(tensor, shard.heads.kv, head);
    case TensorRole::sinks:
      return rows_of(tensor, shard.heads.query);
    case TensorRole::output:
      return columns_of(tensor, shard.heads.query, head);
    case TensorRole::gate:
    case TensorRole::up:
    case TensorRole::gate_bias:
    case TensorRole::up_bias:
      return rows_of(tensor, shard.intermediate);
    case TensorRole::down:
      return columns_of(tensor, shard.intermediate);
    case TensorRole::output_bias:
    case TensorRole::down_bias:
      return shard.member.rank == 0 ? whole : MatrixPart{};
    case TensorRole::lm_head:
      return rows_of(tensor, shard.vocabulary);
    default:
      return whole;
  }
}

}  // namespace sparkmpi::kernels::inference
