#include <gtest/gtest.h>

#include "base/error.hpp"
#include "kernels/inference/kv_budget.hpp"
#include "kernels/inference/kv_cache.hpp"

namespace sparkmpi::kernels::inference {
namespace {

TEST(KvCache, HandsOutBlocksAndTakesThemBack) {
  KvCache cache(4, 16);
  const int a = cache.open();
  EXPECT_TRUE(cache.reserve(a, 33));
  EXPECT_EQ(cache.blocks(a).size(), 3U);
  const int b = cache.open();
  EXPECT_FALSE(cache.reserve(b, 17));
  EXPECT_EQ(cache.free_blocks(), 1);  // refusing changed nothing
  EXPECT_TRUE(cache.reserve(b, 16));
  cache.close(a);
  EXPECT_EQ(cache.free_blocks(), 3);
  EXPECT_EQ(cache.peak_blocks(), 4);
  EXPECT_TRUE(cache.reserve(b, 64));
}

TEST(KvBudget, UnderstandsEveryUnit) {
  EXPECT_EQ(parse_kv_budget("auto").unit, KvUnit::automatic);
  EXPECT_EQ(parse_kv_budget("4GiB").amount, 4.0 * (1ULL << 30));
  EXPECT_EQ(parse_kv_budget("8192tok").unit, KvUnit::tokens);
  const KvBudget part = parse_kv_budget("0.5*meminfo.MemAvailable");
  EXPECT_EQ(part.amount, 0.5);
  EXPECT_EQ(part.ledger, "meminfo.MemAvailable");
}

TEST(KvBudget, RefusesTheRest) {
  for (const char* text : {"", "0", "-1G", "0tok", "1.5tok", "x", "2*meminfo.MemFree", "0*meminfo.MemFree",
                           "0.5*", "tok", "nan*a"})
    EXPECT_THROW(parse_kv_budget(text), UsageError) << text;
}

TEST(KvBudget, ComesToBlocks) {
  const auto reading = [](const std::string& name) -> std::optional<double> {
    if (name == "known") return 1000.0;
    return std::nullopt;
  };
  EXPECT_EQ(kv_blocks(parse_kv_budget("auto"), 7, 16, 100, reading), 7);
  EXPECT_EQ(kv_blocks(parse_kv_budget("1050"), 0, 16, 100, reading), 10);
  EXPECT_EQ(kv_blocks(parse_kv_budget("33tok"), 0, 16, 100, reading), 3);
  EXPECT_EQ(kv_blocks(parse_kv_budget("0.9*known"), 0, 16, 100, reading), 9);
  EXPECT_THROW(kv_blocks(parse_kv_budget("0.9*unknown"), 0, 16, 100, reading), UsageError);
  EXPECT_THROW(kv_blocks(parse_kv_budget("99"), 0, 16, 100, reading), UsageError);
}

}  // namespace
}  // namespace sparkmpi::kernels::inference
