#include "kernels/inference/model_shard.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "base/error.hpp"
#include "kernels/inference/model_catalog.hpp"

namespace sparkmpi::kernels::inference {
namespace {

/// Every shape of models/ and what it can be quantised to, with two layers and two experts: all are alike.
std::vector<ModelConfig> shapes() {
  std::vector<ModelConfig> all;
  for (const CatalogEntry& entry : model_catalog()) {
    all.push_back(parse_model_config(entry.config, entry.name));
    all.back().name = entry.name;
    all.back().layers = 2;
    all.back().experts = std::min(all.back().experts, 2);
    all.back().experts_per_token = std::min(all.back().experts_per_token, 2);
    if (precision_of(all.back()) != "bf16") continue;
    for (const WeightFormat format : {WeightFormat::int4_awq, WeightFormat::mxfp4, WeightFormat::fp8_e4m3}) {
      ModelConfig narrower = all.back();
      try {
        set_weight_format(narrower, format);
      } catch (const UsageError&) {
        continue;
      }
      all.push_back(narrower);
    }
  }
  return all;
}

std::vector<ModelShard> members_of(const ModelConfig& config, int size) {
  std::vector<ModelShard> members;
  for (int rank = 0; rank < size; ++rank) members.push_back(shard_model(config, {rank, size}));
  return members;
}

/// Whether the ranges, those of members that hold nothing left out, are [0, count) cut into pieces.
bool tiles(std::vector<Range> ranges, std::int64_t count) {
  std::erase_if(ranges, [](const Range& range) { return range.size() == 0; });
  std::ranges::sort(ranges, {}, &Range::begin);
  std::int64_t at = 0;
  for (const Range& range : ranges) {
    if (range.begin != at) return false;
    at = range.end;
  }
  return at == count;
}

bool is_key_or_value(TensorRole role) {
  return role == TensorRole::key || role == TensorRole::value || role == TensorRole::key_bias ||
         role == TensorRole::value_bias;
}

void expect_divided(const std::vector<ModelShard>& members, const PlannedTensor& tensor) {
  const Range rows{0, static_cast<std::int64_t>(tensor.rows)},
      columns{0, static_cast<std::int64_t>(tensor.columns)};
  std::vector<Range> parts_of_rows, parts_of_columns;
  bool whole_columns = true, replicated = true;
  for (const ModelShard& member : members) {
    const MemberPart part = member.part_of(tensor);
    parts_of_rows.push_back(part.rows);
    parts_of_columns.push_back(part.columns);
    whole_columns &= part.columns.size() == columns.size();
    replicated &= part.replicated;
  }
  if (replicated) {
    for (const Range& part : parts_of_rows) EXPECT_EQ(part.size(), rows.size()) << tensor.name;
    EXPECT_TRUE(whole_columns) << tensor.name;
  } else if (!whole_columns) {
    EXPECT_TRUE(tiles(parts_of_columns, columns.size())) << tensor.name;
    for (const Range& part : parts_of_rows) EXPECT_EQ(part.size(), rows.size()) << tensor.name;
    const auto group = static_cast<std::int64_t>(std::max<std::size_t>(1, group_columns(tensor.format)));
    for (const Range& part : parts_of_columns) {
      EXPECT_EQ(part.begin % group, 0) << tensor.name;
      EXPECT_EQ(part.end % group, 0) << tensor.name;
    }
  } else {
    // Members that share a KV head have the same rows of K and V.
    if (is_key_or_value(tensor.role)) {
      const auto [first, last] = std::ranges::unique(parts_of_rows, {}, &Range::begin);
      parts_of_rows.erase(first, last);
    }
    EXPECT_TRUE(tiles(parts_of_rows, rows.size())) << tensor.name;
  }
}

/// What a division is refused with, the same on every member; empty when it is not.
std::string refusal(const ModelConfig& config, int size) {
  std::string first;
  for (int rank = 0; rank < size; ++rank) {
    try {
      shard_model(config, {rank, size});
      return "";
    } catch (const UsageError& error) {
      if (rank == 0) first = error.what();
      EXPECT_EQ(first, error.what()) << "members disagree";
    }
  }
  return first;
}

TEST(ModelShard, PartsOfEveryTensorCoverItOnce) {
  int divided = 0;
  for (const ModelConfig& config : shapes()) {
    const std::vector<PlannedTensor> plan = tensor_plan(config);
    for (const int size : {1, 2, 3, 4, 8}) {
      SCOPED_TRACE(config.name + " over " + std::to_string(size));
      if (refusal(config, size) != "") {
        // Only where a group of scales spans several heads can a cut between heads divide one.
        const auto group = static_cast<int>(group_columns(config.attention_format));
        ASSERT_NE(group, 0);
        ASSERT_NE(config.head_dim % group, 0);
        continue;
      }
      ++divided;
      const std::vector<ModelShard> members = members_of(config, size);
      for (const PlannedTensor& tensor : plan) expect_divided(members, tensor);
      for (const ModelShard& member : members) {
        EXPECT_EQ(member.intermediate.begin % 16, 0);
        EXPECT_GT(member.local.heads, 0);
        EXPECT_EQ(member.local.heads % member.local.kv_heads, 0);
        EXPECT_GT(member.local.intermediate, 0);
        EXPECT_GT(member.vocabulary.size(), 0);
        EXPECT_EQ(member.local.vocab, config.vocab);
        EXPECT_EQ(member.local.head_dim, config.head_dim);
      }
    }
  }
  EXPECT_GT(divided, 5 * 12);  // the twelve shapes as they are, and most of the narrower ones
}

TEST(ModelShard, OneMemberHoldsTheModel) {
  for (const ModelConfig& config : shapes()) {
    const ModelShard shard = shard_model(config);
    EXPECT_FALSE(shard.divided());
    EXPECT_EQ(shard.local.heads, config.heads);
    EXPECT_EQ(shard.local.kv_heads, config.kv_heads);
    EXPECT_EQ(shard.local.intermediate, config.intermediate);
    EXPECT_EQ(shard.weight_bytes, config.weight_bytes()) << config.name;
    EXPECT_EQ(shard.step_bytes, config.weight_bytes_read_per_step(0)) << config.name;
    EXPECT_EQ(shard.expert_bytes, config.expert_bytes()) << config.name;
  }
}

TEST(ModelShard, MembersTogetherHoldTheModelAndTheirCopies) {
  for (const ModelConfig& config : shapes()) {
    std::uint64_t replicated = 0, divided = 0;
    const ModelShard all = shard_model(config);
    for (const PlannedTensor& tensor : tensor_plan(config)) {
      const bool copied = all.part_of(tensor).replicated;
      (copied ? replicated : divided) += tensor.bytes();
    }
    // FP8 repeats the scales of rows whose columns are divided.
    if (config.mlp_format == WeightFormat::fp8_e4m3 || config.attention_format == WeightFormat::fp8_e4m3)
      continue;
    const int size = std::min(2, config.kv_heads);
    std::uint64_t held = 0;
    for (const ModelShard& member : members_of(config, size)) held += member.weight_bytes;
    // AWQ rounds zero points up to whole bytes in each part.
    const double tolerance = config.mlp_format == WeightFormat::int4_awq ? 1e-3 : 0;
    const auto expected = static_cast<double>(divided + static_cast<std::uint64_t>(size) * replicated);
    EXPECT_NEAR(static_cast<double>(held), expected, tolerance * expected) << config.name;
  }
}

ModelConfig shape(const char* name) {
  return find_model(name, std::nullopt).config;
}

TEST(ModelShard, RefusesMoreMembersThanThereIsToDivide) {
  using testing::HasSubstr;
  EXPECT_THAT(refusal(shape("SmolLM2-135M"), 10), HasSubstr("SmolLM2-135M has 9 query heads"));
  EXPECT_THAT(refusal(shape("SmolLM2-135M"), 10), HasSubstr("at most --tp 9"));
  ModelConfig narrow = shape("Meta-Llama-3-8B");
  narrow.intermediate = 512;
  set_weight_format(narrow, WeightFormat::int4_awq);
  EXPECT_EQ(refusal(narrow, 4), "");
  EXPECT_THAT(refusal(narrow, 5), HasSubstr("4 units of 128"));
  ModelConfig few_words = shape("Meta-Llama-3-8B");
  few_words.vocab = 40;
  EXPECT_THAT(refusal(few_words, 4), HasSubstr("3 units of 16"));
}

TEST(ModelShard, RefusesHalfAGroupOfScales) {
  // 12 heads of 64: groups of 128 columns are pairs of heads.
  ModelConfig config = shape("Qwen2-1.5B");
  config.head_dim = 64;
  config.hidden = 768;
  set_weight_format(config, WeightFormat::int4_awq);
  EXPECT_EQ(refusal(config, 2), "");
  EXPECT_THAT(refusal(config, 4), testing::HasSubstr("awq shares scales between 128"));
}

TEST(ModelShard, OnlyTheFirstMemberAddsBiasesBehindASum) {
  ModelConfig config = shape("gpt-oss-120b");
  config.layers = 1;
  ASSERT_TRUE(config.output_bias && config.mlp_bias);
  std::map<TensorRole, int> holders;
  for (const ModelShard& member : members_of(config, 4)) {
    EXPECT_EQ(member.local.output_bias, member.member.rank == 0);
    for (const PlannedTensor& tensor : tensor_plan(config)) {
      if (tensor.layer == 0 && tensor.expert <= 0)
        holders[tensor.role] += member.part_of(tensor).rows.size() > 0 ? 1 : 0;
    }
  }
  EXPECT_EQ(holders[TensorRole::output_bias], 1);
  EXPECT_EQ(holders[TensorRole::down_bias], 1);
  EXPECT_EQ(holders[TensorRole::gate_bias], 4);
  EXPECT_EQ(holders[TensorRole::sinks], 4);
}

}  // namespace
}  // namespace sparkmpi::kernels::inference
