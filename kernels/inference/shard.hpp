#pragma once
// Tensor parallelism: which part of a model belongs to which member of a group.

#include <cstdint>

namespace sparkmpi::kernels::inference {

/// A half-open range of heads, rows, columns or experts.
struct Range {
  std::int64_t begin = 0, end = 0;
  std::int64_t size() const { return end - begin; }
};

/// Member `rank` of `size` that divide a model between them, for any size (Megatron-LM's scheme, Shoeybi et
/// al. 2019: the matrices into a block by rows, those out of it by columns, one sum over the members behind
/// each).
struct Shard {
  int rank = 0, size = 1;

  /// This member's part of `count` items in units of `grain` (the group of a quantised format, so that no
  /// scale is divided). Parts differ by at most one unit; with more members than units some are empty.
  Range part(std::int64_t count, std::int64_t grain = 1) const;
};

/// The attention heads of one member: whole groups of query heads with their KV head while there are enough
/// of them; otherwise several members keep the same KV head and divide its query heads. Every member has a
/// uniform number of query heads for each of its KV heads.
struct HeadShard {
  Range query;  ///< of all query heads; may be empty
  Range kv;     ///< of all KV heads; never empty
};
HeadShard shard_heads(const Shard& shard, int heads, int kv_heads);

}  // namespace sparkmpi::kernels::inference
