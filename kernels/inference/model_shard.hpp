#pragma once
// What one member of a tensor-parallel group holds of a model, tensor by tensor.

#include <cstdint>
#include <vector>

#include "kernels/inference/model_config.hpp"
#include "kernels/inference/shard.hpp"
#include "kernels/inference/tensor_plan.hpp"
#include "kernels/inference/weight_source.hpp"

namespace sparkmpi::kernels::inference {

/// A member's part of a planned tensor: `rows` × `columns` of a matrix, `rows` of a vector (then `columns` is
/// empty). Without rows the member holds nothing of it.
struct MemberPart {
  Range rows, columns;
  bool replicated = false;  ///< whole, and every member has the same
};

/// As WeightSource::read wants it.
MatrixPart matrix_part(const MemberPart& part);

/// One member's model. Divided: query heads with their KV heads (Q, K, V by rows, O by columns, sinks), the
/// intermediate units of every feed-forward part and every expert (gate and up by rows, down by columns), the
/// rows of lm_head. Replicated: embedding, norms, router. Biases behind a sum over the members (O's, down's)
/// are the first member's alone, so that the sum adds them once. What a step computes is then
///   x += Σ over members O·attention, x += Σ over members down·activation, logits = the members' rows.
struct ModelShard {
  Shard member;
  ModelConfig whole;
  /// `whole` with the member's numbers of heads, KV heads and intermediate units, and output_bias where it
  /// adds it: all buffers, KV blocks and products of a member follow from it. The vocabulary is the whole
  /// one.
  ModelConfig local;
  HeadShard heads;
  Range intermediate;  ///< of the whole's units
  Range vocabulary;    ///< rows of lm_head

  /// Bytes of the member's parts as a checkpoint stores them; weight_bytes() of a ModelConfig when there is
  /// one member.
  std::uint64_t weight_bytes = 0;
  std::uint64_t expert_bytes = 0;  ///< of one expert's part; 0 when dense
  /// What a decode step reads but for the experts: no untied input embedding, and of a tied one the rows that
  /// stand for lm_head.
  std::uint64_t step_bytes = 0;

  bool divided() const { return member.size > 1; }
  /// @param tensor of tensor_plan(whole).
  MemberPart part_of(const PlannedTensor& tensor) const;
};

/// Member `member.rank` of `member.size`, for any size up to the number of query heads. No group of columns
/// that shares a scale and no tile of 16 rows is ever divided. Throws UsageError with the arithmetic, the
/// same on every member, when some member would be left without heads, intermediate units or vocabulary, or
/// would get half a group.
ModelShard shard_model(const ModelConfig& config, const Shard& member = {});

/// The member's part of a vector, of a norm with norm_offset added; nothing is read where it holds none.
std::vector<float> read_member_vector(const WeightSource& source, const PlannedTensor& tensor,
                                      const ModelShard& shard);

}  // namespace sparkmpi::kernels::inference
