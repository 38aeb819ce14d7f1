#pragma once
// The part of a model that one member of a tensor-parallel group holds and computes.

#include "kernels/inference/model_config.hpp"
#include "kernels/inference/shard.hpp"
#include "kernels/inference/tensor_plan.hpp"
#include "kernels/inference/weight_source.hpp"

namespace sparkmpi::kernels::inference {

/// Heads are divided (Q, K, V by rows, the output projection by columns), the feed-forward part's
/// intermediate dimension (gate and up by rows, down by columns; of every expert: each member has a part of
/// all of them) and the vocabulary (rows of lm_head). The sums of the output projection and of down over the
/// members are what the group adds up, twice a layer. Norms, router and input embedding are whole on every
/// member.
struct ModelShard {
  Shard member;
  HeadShard heads;
  Range intermediate;
  Range vocabulary;
  /// The model as this member computes it: its own heads, kv_heads, intermediate and lm_head_rows.
  ModelConfig local;

  bool divided() const { return member.size > 1; }
};

/// Throws UsageError, the same on every member, when one of them would be left without a query head, a column
/// of down or a row of lm_head, or when a format's groups can't be divided between heads.
ModelShard shard_model(const ModelConfig& config, const Shard& member = {});

/// Which part of a tensor of tensor_plan(whole model) the member holds; a vector's part has rows only. 0
/// rows: none, as of the biases behind a sum, which its first member adds for all.
MatrixPart part_of(const PlannedTensor& tensor, const ModelShard& shard);

}  // namespace sparkmpi::kernels::inference
