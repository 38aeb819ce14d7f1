#include "kernels/inference/tensor_plan.hpp"

#include <gtest/gtest.h>

#include <set>

#include "base/error.hpp"
#include "kernels/inference/model_catalog.hpp"
#include "kernels/inference/model_fit.hpp"
#include "kernels/inference/model_shard.hpp"

namespace sparkmpi::kernels::inference {
namespace {

TEST(TensorPlan, SumsAreTheConfigurationsOwn) {
  for (const CatalogEntry& entry : model_catalog()) {
    ModelConfig config = find_model(std::string(entry.name), std::nullopt).config;
    for (const WeightFormat format : {config.mlp_format, WeightFormat::bf16, WeightFormat::fp8_e4m3}) {
      set_weight_format(config, format);
      std::uint64_t elements = 0, bytes = 0;
      std::set<std::string> names;
      for (const PlannedTensor& tensor : tensor_plan(config)) {
        elements += tensor.elements();
        bytes += tensor.bytes();
        EXPECT_TRUE(names.insert(tensor.name).second) << tensor.name;
        EXPECT_FALSE(tensor.sources.empty());
      }
      EXPECT_EQ(elements, config.parameters()) << entry.name;
      EXPECT_EQ(bytes, config.weight_bytes()) << entry.name << ' ' << to_string(format);
    }
  }
}

TEST(TensorPlan, LinearLayersAloneAreQuantised) {
  ModelConfig config = find_model("gpt-oss-120b", std::nullopt).config;
  for (const PlannedTensor& tensor : tensor_plan(config)) {
    const bool expert = tensor.expert >= 0 && !tensor.is_vector();
    EXPECT_EQ(tensor.format, expert ? WeightFormat::mxfp4 : WeightFormat::bf16) << tensor.name;
  }
  config = find_model("Qwen2-1.5B", std::nullopt).config;
  set_weight_format(config, WeightFormat::int4_awq);
  for (const PlannedTensor& tensor : tensor_plan(config)) {
    const bool linear = tensor.name.find("proj.weight") != std::string::npos;
    EXPECT_EQ(tensor.format, linear ? WeightFormat::int4_awq : WeightFormat::bf16) << tensor.name;
  }
}

TEST(ModelBytes, WhatADecodeStepReads) {
  const auto config_of = [](const char* name) { return find_model(name, std::nullopt).config; };
  const auto gigabytes = [](std::uint64_t bytes) { return 1e-9 * static_cast<double>(bytes); };
  const ModelConfig mixtral = config_of("Mixtral-8x7B");
  EXPECT_NEAR(gigabytes(2 * mixtral.parameters_read_per_step()), 25.5, 0.1);
  EXPECT_NEAR(gigabytes(mixtral.weight_bytes_read_per_step(2)), 25.5, 0.1);
  EXPECT_EQ(mixtral.weight_bytes_read_per_step(5) - mixtral.weight_bytes_read_per_step(2),
            3 * 32 * mixtral.expert_bytes());
  EXPECT_NEAR(gigabytes(config_of("Meta-Llama-3-70B-AWQ").weight_bytes_read_per_step(0)), 37.7, 0.05);
  const ModelConfig gpt_oss = config_of("gpt-oss-120b");
  EXPECT_NEAR(gigabytes(gpt_oss.weight_bytes()), 65.2, 0.1);
  EXPECT_EQ(gpt_oss.weight_bytes_read_per_step(128) + 2ULL * 201088 * 2880, gpt_oss.weight_bytes());
  EXPECT_EQ(config_of("Meta-Llama-3-8B").expert_bytes(), 0U);
}

TEST(ModelFit, TheWidestFormatThatLeavesRoom) {
  const ModelConfig config = find_model("Meta-Llama-3-70B", std::nullopt).config;
  constexpr std::uint64_t kGib = std::uint64_t{1} << 30;
  const auto precision = [&](std::uint64_t gib) {
    const auto fit = widest_fit(config, gib * kGib);
    return fit ? precision_of(fit->config) : "none";
  };
  EXPECT_EQ(precision(160), "bf16");
  EXPECT_EQ(precision(96), "fp8");
  EXPECT_EQ(precision(44), "mxfp4");
  EXPECT_EQ(precision(24), "none");
  const auto fit = widest_fit(config, 160 * kGib);
  EXPECT_EQ(fit->kv_tokens, static_cast<std::int64_t>((160 * kGib - config.weight_bytes()) / (320 * 1024)));
  EXPECT_NE(describe_fit(config, 24 * kGib).find("no: 37.0 GiB of weights in awq, 24.0 GiB"),
            std::string::npos)
      << describe_fit(config, 24 * kGib);
  EXPECT_NE(describe_fit(config, 24 * kGib).find("; in mxfp4 with --tp 2"), std::string::npos)
      << describe_fit(config, 24 * kGib);
  // Groups of 128 do not divide SmolLM2's 576 columns.
  EXPECT_FALSE(widest_fit(find_model("SmolLM2-135M", std::nullopt).config, 70'000'000));
}

TEST(ModelFit, OfADividedModelEveryMemberHasRoom) {
  constexpr std::uint64_t kGib = std::uint64_t{1} << 30;
  const ModelConfig config = find_model("Meta-Llama-3-70B", std::nullopt).config;
  // Eight KV heads between three: 3, 3 and 2.
  const std::vector<MemberNeeds> needs = needs_of_members(config, 3);
  ASSERT_EQ(needs.size(), 3U);
  EXPECT_EQ(largest_needs(needs).kv_bytes_per_token, config.kv_bytes_per_token() * 3 / 8);
  std::int64_t tokens = std::numeric_limits<std::int64_t>::max();
  for (int rank = 0; rank < 3; ++rank) {
    const ModelShard shard = shard_model(config, {rank, 3});
    EXPECT_EQ(needs[static_cast<std::size_t>(rank)].weights, shard.weight_bytes);
    tokens = std::min(tokens, static_cast<std::int64_t>((80 * kGib - shard.weight_bytes) /
                                                        shard.local.kv_bytes_per_token()));
  }
  const auto fit = widest_fit(config, 80 * kGib, 3);
  ASSERT_TRUE(fit);
  EXPECT_EQ(precision_of(fit->config), "bf16");
  EXPECT_EQ(fit->weights, largest_needs(needs).weights);
  EXPECT_EQ(fit->kv_tokens, tokens);
  EXPECT_EQ(precision_of(widest_fit(config, 80 * kGib, 1)->config), "fp8");
}

TEST(ModelFit, TheFewestMembersAreTheFirstThatFit) {
  constexpr std::uint64_t kGib = std::uint64_t{1} << 30;
  const ModelConfig config = find_model("gpt-oss-120b", std::nullopt).config;
  const auto fewest = fewest_members(config, 24 * kGib);
  ASSERT_TRUE(fewest);
  EXPECT_FALSE(widest_fit(config, 24 * kGib, fewest->members - 1));
  const auto fit = widest_fit(config, 24 * kGib, fewest->members);
  ASSERT_TRUE(fit);
  EXPECT_EQ(fewest->fit.kv_tokens, fit->kv_tokens);
  // Every member has the whole embedding, which is 1.1 GiB.
  EXPECT_FALSE(fewest_members(config, kGib));
}

TEST(ModelFit, WhatCannotBeDividedIsRefused) {
  const ModelConfig config = find_model("SmolLM2-135M", std::nullopt).config;
  EXPECT_THROW(needs_of_members(config, 10), UsageError);
  EXPECT_THROW(widest_fit(config, std::uint64_t{1} << 40, 10), UsageError);
}

}  // namespace
}  // namespace sparkmpi::kernels::inference
