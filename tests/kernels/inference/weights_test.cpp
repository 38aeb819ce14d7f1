#include "kernels/inference/weights.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/error.hpp"
#include "kernels/inference/host/host_engine.hpp"
#include "kernels/inference/verification.hpp"
#include "kernels/inference/weight_hash.hpp"
#include "kernels/inference/weight_source.hpp"

namespace sparkmpi::kernels::inference {
namespace {

namespace fs = std::filesystem;

const std::string kFixtures = std::string(SPARKMPI_FIXTURES) + "/hf/";

TEST(Weights, ThreadsAndSeeds) {
  const ModelConfig config = read_model_config(kFixtures + "qwen2-bias-tied");
  host::ThreadTeam one({0}), three({0, 0, 0});
  const std::uint64_t hash = Weights::synthetic(shard_model(config), 1, one).hash();
  EXPECT_EQ(Weights::synthetic(shard_model(config), 1, three).hash(), hash);
  EXPECT_NE(Weights::synthetic(shard_model(config), 2, one).hash(), hash);
  EXPECT_EQ(Weights::load(shard_model(config), kFixtures + "qwen2-bias-tied", three).hash(),
            Weights::load(shard_model(config), kFixtures + "qwen2-bias-tied", one).hash());
}

TEST(Weights, FilesReadPastThePageCacheGiveTheSame) {
  for (const char* const name : {"qwen2-bias-tied", "mistral-window-sharded", "llama-awq", "mixtral-fp8",
                                 "qwen2-fp8-rows", "gpt-oss-mxfp4", "gpt-oss", "phi3-window"}) {
    const ModelConfig config = read_model_config(kFixtures + name);
    host::ThreadTeam team({0, 0});
    const std::uint64_t cached = Weights::load(shard_model(config), kFixtures + name, team).hash();
    try {
      EXPECT_EQ(Weights::load(shard_model(config), kFixtures + name, team, {}, LoadMode::direct).hash(),
                cached)
          << name;
    } catch (const UsageError& error) {
      GTEST_SKIP() << error.what();  // a file system without O_DIRECT
    }
  }
}

TEST(Weights, PiecesMakeTheWhole) {
  // Matrices of several pieces, with rows that need padding.
  ModelConfig config = read_model_config(kFixtures + "qwen2-bias-untied");
  config.hidden = 520;
  config.intermediate = 1500;
  config.vocab = 3000;
  host::ThreadTeam two({0, 0});
  const Weights weights = Weights::synthetic(shard_model(config), 3, two);
  const Matrix& embedding = weights.embedding();
  ASSERT_NE(embedding.stride, embedding.columns);
  const auto source = synthetic_weights(3);
  std::uint64_t hash = 0;
  for (const PlannedTensor& tensor : tensor_plan(config)) {
    std::uint64_t sum = 0;
    if (tensor.is_vector()) {
      const std::vector<float> values = source->read_vector(tensor);
      sum = row_hash(values.data(), values.size() * sizeof(float), 0, 0);
    }
    std::vector<Bf16> row(tensor.columns);
    for (std::size_t r = 0; r < (tensor.is_vector() ? 0 : tensor.rows); ++r) {
      source->read(tensor, {r, 1, 0, tensor.columns},
                   {reinterpret_cast<std::byte*>(row.data()), tensor.columns * 2});
      sum += row_hash(row.data(), tensor.columns * 2, 0, r);
      if (tensor.role != TensorRole::embedding) continue;
      ASSERT_TRUE(std::equal(row.begin(), row.end(), embedding.row(r))) << r;
      for (std::size_t c = embedding.columns; c < embedding.stride; ++c)
        ASSERT_EQ(embedding.row(r)[c], 0) << r;
    }
    hash = extend_hash(hash, sum);
  }
  EXPECT_EQ(weights.hash(), hash);
}

TEST(Weights, ProgressGrowsToAll) {
  const ModelConfig config = read_model_config(kFixtures + "qwen2-bias-tied");
  host::ThreadTeam team({0});
  std::vector<double> told;
  Weights::synthetic(shard_model(config), 1, team, [&](double done) { told.push_back(done); });
  ASSERT_FALSE(told.empty());
  EXPECT_TRUE(std::ranges::is_sorted(told));
  EXPECT_EQ(told.back(), 1);
}

TEST(Weights, AFileThatIsCutOffMeanwhileIsOneClearLine) {
  const fs::path directory = fs::path(testing::TempDir()) / ("cut-" + std::to_string(getpid()));
  fs::copy(kFixtures + "qwen2-bias-tied", directory);
  const fs::path file = directory / "model.safetensors";
  const ModelConfig config = read_model_config(directory);
  const auto plan = tensor_plan(config);
  const auto source = open_weights(directory);
  source->check(plan);
  fs::resize_file(file, fs::file_size(file) / 2);
  std::vector<std::byte> memory(plan.back().bytes() + plan.front().bytes());
  try {
    for (const PlannedTensor& tensor : plan) {
      if (!tensor.is_vector()) {
        memory.resize(std::max(memory.size(), static_cast<std::size_t>(tensor.bytes())));
        source->read(tensor, {0, tensor.rows, 0, tensor.columns}, {memory.data(), tensor.columns * 2});
      }
    }
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(file.native()), std::string::npos) << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
  }
  fs::remove_all(directory);
}

TEST(Weights, EveryFormatIsTheSameWithAnyNumberOfThreads) {
  host::ThreadTeam one({0}), three({0, 0, 0});
  for (const char* name : {"llama-awq", "mixtral-fp8", "gpt-oss-mxfp4", "gpt-oss", "phi3-window"}) {
    const ModelConfig config = read_model_config(kFixtures + name);
    const Weights weights = Weights::load(shard_model(config), kFixtures + name, one);
    EXPECT_EQ(Weights::load(shard_model(config), kFixtures + name, three).hash(), weights.hash()) << name;
    const std::uint64_t synthetic = Weights::synthetic(shard_model(config), 1, one).hash();
    EXPECT_EQ(Weights::synthetic(shard_model(config), 1, three).hash(), synthetic) << name;
    EXPECT_NE(synthetic, weights.hash()) << name;
  }
}

TEST(Weights, ScalesAreInTheHash) {
  host::ThreadTeam team({0});
  ModelConfig config = read_model_config(kFixtures + "qwen2-bias-untied");
  std::set<std::uint64_t> hashes;
  for (const WeightFormat format : {WeightFormat::bf16, WeightFormat::fp8_e4m3, WeightFormat::mxfp4}) {
    set_weight_format(config, format);
    hashes.insert(Weights::synthetic(shard_model(config), 1, team).hash());
  }
  EXPECT_EQ(hashes.size(), 3U);
}

TEST(Weights, AShapeThatIsNotTheConfigurationsIsSaid) {
  ModelConfig config = read_model_config(kFixtures + "llama-gqa-tied");
  config.intermediate += 1;
  host::ThreadTeam team({0});
  try {
    Weights::load(shard_model(config), kFixtures + "llama-gqa-tied", team);
    ADD_FAILURE();
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("mlp"), std::string::npos) << error.what();
  }
}

TEST(Weights, AStepReadsAllButTheUntiedInputEmbedding) {
  host::ThreadTeam team({0});
  for (const char* name : {"qwen2-bias-tied", "qwen2-bias-untied"}) {
    const ModelConfig config = read_model_config(kFixtures + name);
    const Weights weights = Weights::load(shard_model(config), kFixtures + name, team);
    EXPECT_GE(weights.bytes_read_per_step(0), 2 * config.parameters_read_per_step()) << name;
    EXPECT_LE(weights.bytes_read_per_step(0), 3 * config.parameters_read_per_step())
        << name;  // rows padded to 32, norms in single
  }
}

TEST(Engine, PrefillAndDecodeAgreeOnEveryInstructionSet) {
  host::ThreadTeam team({0, 0});
  for (const char* name :
       {"llama-rope3", "mistral-window-sharded", "qwen2-bias-untied", "gemma", "phi3-window", "mixtral",
        "gpt-oss", "gpt-oss-mxfp4", "llama-awq", "qwen2-fp8-rows"}) {
    const Weights weights =
        Weights::load(shard_model(read_model_config(kFixtures + name)), kFixtures + name, team);
    for (const host::Simd simd : {host::Simd::portable, host::Simd::avx2, host::Simd::avx512,
                                  host::Simd::avx512_bf16, host::Simd::sve}) {
      if (!host::supported(simd)) continue;
      const auto engine = make_host_engine(weights, team, {4, 16, simd});
      EXPECT_LT(verify_engine(*engine, 3, kSinglePrecisionLimits).computed, kSinglePrecisionLimits.computed)
          << name << ' ' << host::to_string(simd);
      EXPECT_EQ(engine->kv().free_blocks(), 4);
    }
  }
}

TEST(Engine, StepBytesAreWeightsAndTheKvThatIsSeen) {
  host::ThreadTeam team({0});
  const ModelConfig config = read_model_config(kFixtures + "llama-gqa-tied");
  const Weights weights = Weights::load(shard_model(config), kFixtures + "llama-gqa-tied", team);
  const auto engine = make_host_engine(weights, team, {4, 16});
  const int sequence = engine->kv().open();
  ASSERT_TRUE(engine->kv().reserve(sequence, 20));
  const std::vector<std::int32_t> tokens(10, 1);
  const SequenceSlice slice{sequence, tokens};
  EXPECT_EQ(engine->step_bytes({&slice, 1}).kv, 10 * config.kv_bytes_per_token());
  std::int32_t next = 0;
  engine->step({&slice, 1}, {&next, 1});
  const SequenceSlice one{sequence, {tokens.data(), 1}};
  EXPECT_EQ(engine->step_bytes({&one, 1}).kv, 11 * config.kv_bytes_per_token());
  EXPECT_EQ(engine->step_bytes({&one, 1}).weights, weights.bytes_read_per_step(0));
}

TEST(Engine, ExpertsCountWhenTheyWereRead) {
  host::ThreadTeam team({0});
  const ModelConfig config = read_model_config(kFixtures + "mixtral-fp8");
  const Weights weights = Weights::load(shard_model(config), kFixtures + "mixtral-fp8", team);
  EXPECT_EQ(weights.bytes_read_per_step(3) - weights.bytes_read_per_step(1),
            2 * 2 * weights.expert_bytes());  // two layers
  const auto engine = make_host_engine(weights, team, {4, 16});
  const int sequence = engine->kv().open();
  ASSERT_TRUE(engine->kv().reserve(sequence, 40));
  std::int32_t next = 1;
  const SequenceSlice one{sequence, {&next, 1}};
  EXPECT_EQ(engine->step_bytes({&one, 1}).weights, weights.bytes_read_per_step(0));
  engine->step({&one, 1}, {&next, 1});
  EXPECT_EQ(engine->last_step_expert_bytes(), 2 * 2 * weights.expert_bytes());  // two experts, two layers
  std::vector<std::int32_t> tokens(30);
  for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<std::int32_t>(3 * i);
  const SequenceSlice many{sequence, tokens};
  engine->step({&many, 1}, {&next, 1});
  EXPECT_EQ(engine->last_step_expert_bytes(), 2 * 4 * weights.expert_bytes());  // all four
}

}  // namespace
}  // namespace sparkmpi::kernels::inference
