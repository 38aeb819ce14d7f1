// The GPU engine by itself: weights, batches, long contexts, memory that runs out. Skipped without a GPU.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <barrier>
#include <cmath>
#include <cstring>
#include <optional>
#include <thread>

#include "base/error.hpp"
#include "kernels/device/cuda_module.hpp"
#include "kernels/inference/cuda_inference.hpp"
#include "kernels/inference/request.hpp"
#include "kernels/inference/verification.hpp"
#include "kernels/inference/weights.hpp"

namespace sparkmpi::kernels::inference {
namespace {

ModelConfig tiny(WeightFormat format = WeightFormat::bf16) {
  ModelConfig config;
  config.name = "tiny";
  config.layers = 2;
  config.hidden = 256;
  config.intermediate = 512;
  config.heads = 8;
  config.kv_heads = 2;
  config.head_dim = 32;
  config.vocab = 512;
  config.max_positions = 8192;
  config.qkv_bias = true;
  set_weight_format(config, format);
  return config;
}

class GpuEngine : public testing::Test {
 protected:
  void SetUp() override {
    if (module_.devices().empty()) GTEST_SKIP() << module_.reason();
    interface_ = module_.find<CudaInference>();
    ASSERT_NE(interface_, nullptr);
  }

  std::unique_ptr<DeviceWeights> made(const ModelConfig& config, std::uint64_t seed,
                                      const Shard& member = {}) {
    return loaded(config, *synthetic_weights(seed), seed, member);
  }
  std::unique_ptr<DeviceWeights> loaded(const ModelConfig& config, const WeightSource& source,
                                        std::optional<std::uint64_t> seed, const Shard& member = {}) {
    const std::vector<PlannedTensor> plan = tensor_plan(config);
    const Team team = [](const std::function<void(int, int)>& body) { body(0, 1); };
    return interface_->load(0, {plan, shard_model(config, member), source, seed, team, {}});
  }
  std::unique_ptr<Engine> engine(const DeviceWeights& weights, std::int64_t blocks = 512,
                                 Group* group = nullptr) {
    CudaEngineOptions options;
    options.group = group;
    options.kv_blocks = blocks;
    options.batch = 3;
    options.step_tokens = 64;  // larger steps have to make room
    return interface_->make_engine(weights, options);
  }

  CudaModule module_;
  const CudaInference* interface_ = nullptr;
  host::ThreadTeam team_{{0}};
};

using Logits = std::vector<float>;

/// Logits after `tokens`, brought in pieces.
Logits after(Engine& engine, const std::vector<std::int32_t>& tokens, std::size_t piece) {
  const int sequence = engine.kv().open();
  EXPECT_TRUE(engine.kv().reserve(sequence, static_cast<std::int64_t>(tokens.size())));
  Logits logits(static_cast<std::size_t>(engine.config().vocab));
  std::int32_t next = 0;
  for (std::size_t at = 0; at < tokens.size(); at += piece) {
    const SequenceSlice slice{sequence, std::span(tokens).subspan(at, std::min(piece, tokens.size() - at))};
    engine.step({&slice, 1}, {&next, 1}, logits.data());
  }
  EXPECT_EQ(next, std::ranges::max_element(logits) - logits.begin());
  engine.kv().close(sequence);
  return logits;
}

double relative_error(const Logits& actual, const Logits& expected) {
  double difference = 0, length = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference += std::pow(static_cast<double>(actual[i]) - expected[i], 2);
    length += std::pow(static_cast<double>(expected[i]), 2);
  }
  return std::sqrt(difference / length);
}

std::vector<std::int32_t> prompt(std::int64_t length, std::uint64_t seed) {
  return random_requests(1, length, 1, 512, seed).front().prompt;
}

constexpr double kBf16Tolerance = 2e-2;

TEST_F(GpuEngine, SyntheticWeightsAreTheHosts) {
  for (const WeightFormat format :
       {WeightFormat::bf16, WeightFormat::fp8_e4m3, WeightFormat::int4_awq, WeightFormat::mxfp4}) {
    const ModelConfig config = tiny(format);
    const std::uint64_t expected = Weights::synthetic(shard_model(config), 7, team_).hash();
    EXPECT_EQ(made(config, 7)->hash(), expected) << to_string(format);
    EXPECT_EQ(loaded(config, *synthetic_weights(7), std::nullopt)->hash(), expected) << to_string(format);
    EXPECT_NE(made(config, 8)->hash(), expected) << to_string(format);
  }
}

TEST_F(GpuEngine, EachMembersPartIsTheHosts) {
  for (const WeightFormat format :
       {WeightFormat::bf16, WeightFormat::fp8_e4m3, WeightFormat::int4_awq, WeightFormat::mxfp4}) {
    ModelConfig config = tiny(format);
    config.head_dim = 64;  // so that a member's heads end with a pair of int4_awq's groups
    for (int rank = 0; rank < 2; ++rank) {
      const Shard member{rank, 2};
      const std::uint64_t expected = Weights::synthetic(shard_model(config, member), 7, team_).hash();
      EXPECT_EQ(made(config, 7, member)->hash(), expected) << to_string(format) << ", member " << rank;
      EXPECT_EQ(loaded(config, *synthetic_weights(7), std::nullopt, member)->hash(), expected)
          << to_string(format) << ", member " << rank;
    }
  }
}

/// A group of threads.
class ThreadGroup final : public Group {
 public:
  struct Shared {
    explicit Shared(int size) : meeting(size), places(static_cast<std::size_t>(size)) {}
    std::barrier<> meeting;
    std::vector<void*> places;
  };
  ThreadGroup(Shared& shared, int rank) : shared_(shared), rank_(rank) {}
  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(shared_.places.size()); }
  void sum(std::span<float> values) override {
    std::vector<float> sums(values.size());
    meet(values.data(), [&](const void* theirs) {
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += static_cast<const float*>(theirs)[i];
    });
    std::ranges::copy(sums, values.begin());
  }
  void broadcast(std::span<std::byte> bytes, int root) override {
    int member = 0;
    meet(bytes.data(), [&](const void* theirs) {
      if (member++ == root && root != rank_) std::memcpy(bytes.data(), theirs, bytes.size());
    });
  }
  void poll() override {}

 private:
  template <class Visit>
  void meet(void* mine, Visit visit) {
    shared_.places[static_cast<std::size_t>(rank_)] = mine;
    shared_.meeting.arrive_and_wait();
    for (const void* const place : shared_.places) visit(place);
    shared_.meeting.arrive_and_wait();
  }
  Shared& shared_;
  int rank_;
};

TEST_F(GpuEngine, TwoMembersOnOneGpuGiveWhatOneRankGives) {
  const auto tokens = prompt(150, 4);
  for (const WeightFormat format : {WeightFormat::bf16, WeightFormat::fp8_e4m3, WeightFormat::mxfp4}) {
    const auto whole = made(tiny(format), 1);
    const auto one = engine(*whole);
    const Logits at_once = after(*one, tokens, 150), one_by_one = after(*one, tokens, 1);
    ThreadGroup::Shared shared(2);
    std::vector<std::jthread> members;
    for (int rank = 0; rank < 2; ++rank) {
      members.emplace_back([&, rank] {
        ThreadGroup group(shared, rank);
        const auto part = made(tiny(format), 1, {rank, 2});
        EXPECT_LT(part->bytes(), whole->bytes());
        const auto member = engine(*part, 512, &group);
        EXPECT_LT(relative_error(after(*member, tokens, 150), at_once), kBf16Tolerance) << to_string(format);
        EXPECT_LT(relative_error(after(*member, tokens, 1), one_by_one), kBf16Tolerance) << to_string(format);
      });
    }
  }
}

TEST_F(GpuEngine, PrefillAndDecodeAgreeOverALongContext) {
  const auto weights = made(tiny(), 1);
  const auto one = engine(*weights);
  const auto tokens = prompt(2100, 3);
  const Logits whole = after(*one, tokens, tokens.size());
  EXPECT_LT(relative_error(after(*one, tokens, 300), whole), kBf16Tolerance);
  EXPECT_LT(relative_error(after(*one, tokens, 7), whole), kBf16Tolerance);
  EXPECT_LT(relative_error(after(*one, tokens, 1), whole), kBf16Tolerance);
}

TEST_F(GpuEngine, WindowsHideWhatLiesBefore) {
  ModelConfig config = tiny();
  config.sliding_window = 100;
  const auto weights = made(config, 1);
  const auto one = engine(*weights);
  auto tokens = prompt(700, 3);
  const Logits seen = after(*one, tokens, 256);
  EXPECT_LT(relative_error(after(*one, tokens, 1), seen), kBf16Tolerance);
  // Two layers see two windows back, and no further.
  tokens[400] = (tokens[400] + 1) % 512;
  EXPECT_EQ(after(*one, tokens, 256), seen);
  tokens[699 - 150] = (tokens[699 - 150] + 1) % 512;
  EXPECT_NE(after(*one, tokens, 256), seen);
}

TEST_F(GpuEngine, MixedStepsGiveWhatEachSequenceGivesAlone) {
  const auto weights = made(tiny(), 1);
  const auto one = engine(*weights);
  const auto long_prompt = prompt(150, 4), short_prompt = prompt(40, 5);
  const Logits long_alone = after(*one, long_prompt, 150), short_alone = after(*one, short_prompt, 1);

  // The second sequence's last token decodes between two pieces of the others.
  KvCache& kv = one->kv();
  const int a = kv.open(), b = kv.open(), c = kv.open();
  for (const auto& [sequence, tokens] : {std::pair(a, 150), {b, 40}, {c, 150}})
    ASSERT_TRUE(kv.reserve(sequence, tokens));
  std::int32_t ignored = 0;
  const SequenceSlice head{b, std::span(short_prompt).first(39)};
  one->step({&head, 1}, {&ignored, 1});
  const std::vector<SequenceSlice> batch = {
      {a, long_prompt}, {b, std::span(short_prompt).last(1)}, {c, long_prompt}};
  std::vector<std::int32_t> next(3);
  Logits logits(3 * 512);
  one->step(batch, next, logits.data());
  const auto row = [&](std::ptrdiff_t i) {
    return Logits(logits.begin() + i * 512, logits.begin() + (i + 1) * 512);
  };
  EXPECT_LT(relative_error(row(0), long_alone), kBf16Tolerance);
  EXPECT_LT(relative_error(row(1), short_alone), kBf16Tolerance);
  EXPECT_EQ(row(0), row(2)) << "the same tokens at another place of the step";
}

TEST_F(GpuEngine, PrescribedExpertsAgreeAndAreForgottenAgain) {
  ModelConfig config = tiny();
  config.experts = 40;
  config.experts_per_token = 4;
  const auto weights = made(config, 1);
  const auto one = engine(*weights);
  const auto tokens = prompt(30, 2);
  const Logits chosen = after(*one, tokens, 1);
  EXPECT_GT(verify_engine(*one, 1, {kBf16Limits.computed, 3}).computed, 0);
  one->prescribe_experts(3);
  EXPECT_GT(relative_error(after(*one, tokens, 1), chosen), 0.1);
  one->prescribe_experts(std::nullopt);
  EXPECT_EQ(after(*one, tokens, 1), chosen);
}

TEST_F(GpuEngine, StepsRepeatBitByBit) {
  const auto weights = made(tiny(), 1);
  const auto one = engine(*weights);
  const auto tokens = prompt(1500, 6);
  EXPECT_EQ(after(*one, tokens, 500), after(*one, tokens, 500));
  EXPECT_EQ(after(*one, prompt(600, 6), 1), after(*one, prompt(600, 6), 1));
}

TEST_F(GpuEngine, SaysWhatWasAskedWhenMemoryRunsOutAndGoesOn) {
  const auto weights = made(tiny(), 1);
  engine(*weights).reset();  // what libraries keep for themselves is there from now on
  const std::uint64_t before = module_.memory(0).free;
  try {
    engine(*weights, std::int64_t{1} << 26);  // 512 GiB
    FAIL() << "so many blocks fit no GPU";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::AllOf(testing::HasSubstr("KV cache"), testing::HasSubstr("wanted"),
                                             testing::HasSubstr("free")));
  }
  EXPECT_GE(module_.memory(0).free, before) << "more: the driver gives its own reserves up before it refuses";
  EXPECT_EQ(after(*engine(*weights), prompt(20, 1), 20).size(), 512U);
}

}  // namespace
}  // namespace sparkmpi::kernels::inference
