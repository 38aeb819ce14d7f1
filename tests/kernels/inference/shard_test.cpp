#include "kernels/inference/shard.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace sparkmpi::kernels::inference {
namespace {

TEST(Shard, PartsCoverEverythingOnceInWholeUnits) {
  for (const std::int64_t count : {0, 1, 7, 128, 2880, 14336}) {
    for (const std::int64_t grain : {1, 32, 128}) {
      for (const int size : {1, 2, 3, 4, 7, 16}) {
        std::int64_t at = 0, least = count, most = 0;
        for (int rank = 0; rank < size; ++rank) {
          const Range part = Shard{rank, size}.part(count, grain);
          EXPECT_EQ(part.begin, at);
          EXPECT_TRUE(part.begin % grain == 0 || part.begin == count);
          at = part.end;
          least = std::min(least, part.size());
          most = std::max(most, part.size());
        }
        EXPECT_EQ(at, count);
        EXPECT_LE(most - least, grain) << count << ' ' << grain << ' ' << size;
      }
    }
  }
}

TEST(ShardHeads, EveryQueryHeadHasOneOwnerAndItsOwnerHasItsKvHead) {
  struct Case {
    int heads, kv_heads;
  };
  for (const auto& [heads, kv_heads] : {Case{32, 8}, {9, 3}, {12, 2}, {8, 1}, {28, 4}, {64, 8}, {32, 32}}) {
    for (int size = 1; size <= heads + 2; ++size) {
      std::vector<int> owners(static_cast<std::size_t>(heads), 0);
      for (int rank = 0; rank < size; ++rank) {
        const HeadShard mine = shard_heads({rank, size}, heads, kv_heads);
        ASSERT_GT(mine.kv.size(), 0);
        ASSERT_EQ(mine.query.size() % mine.kv.size(), 0) << "the heads are not uniform";
        const std::int64_t each = mine.query.size() / mine.kv.size();
        for (std::int64_t i = 0; i < mine.query.size(); ++i) {
          const std::int64_t head = mine.query.begin + i;
          ++owners[static_cast<std::size_t>(head)];
          EXPECT_EQ(mine.kv.begin + i / each, head / (heads / kv_heads));
        }
      }
      EXPECT_TRUE(std::ranges::all_of(owners, [](int owner) { return owner == 1; }))
          << heads << '/' << kv_heads << " over " << size;
    }
  }
}

}  // namespace
}  // namespace sparkmpi::kernels::inference
