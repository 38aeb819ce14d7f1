#include "kernels/inference/shard.hpp"

#include <algorithm>

namespace sparkmpi::kernels::inference {

Range Shard::part(std::int64_t count, std::int64_t grain) const {
  const std::int64_t units = (count + grain - 1) / grain;
  return {std::min(count, units * rank / size * grain), std::min(count, units * (rank + 1) / size * grain)};
}

HeadShard shard_heads(const Shard& shard, int heads, int kv_heads) {
  const std::int64_t group = heads / kv_heads;
  if (shard.size <= kv_heads) {
    const Range kv = shard.part(kv_heads);
    return {{kv.begin * group, kv.end * group}, kv};
  }
  // KV head k belongs to the members of its part of the group.
  for (int head = 0; head < kv_heads; ++head) {
    const Range members = Shard{head, kv_heads}.part(shard.size);
    if (shard.rank >= members.end) continue;
    const Shard among{static_cast<int>(shard.rank - members.begin), static_cast<int>(members.size())};
    const Range query = among.part(group);
    return {{head * group + query.begin, head * group + query.end}, {head, head + 1}};
  }
  return {{heads, heads}, {kv_heads - 1, kv_heads}};
}

}  // namespace sparkmpi::kernels::inference
