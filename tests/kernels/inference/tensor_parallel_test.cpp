// One model divided between members that are threads here, against the same model whole.

#include <gtest/gtest.h>

#include <barrier>
#include <cmath>
#include <cstring>
#include <exception>
#include <functional>
#include <optional>
#include <set>
#include <thread>

#include "base/error.hpp"
#include "kernels/inference/host/host_engine.hpp"
#include "kernels/inference/request.hpp"

namespace sparkmpi::kernels::inference {
namespace {

const std::string kFixtures = SPARKMPI_FIXTURES "/hf/";

/// What the members of one group share.
struct Meeting {
  explicit Meeting(int size) : barrier(size), parts(static_cast<std::size_t>(size)) {}
  std::barrier<> barrier;
  std::vector<std::span<float>> parts;
  std::span<std::byte> said;
};

class ThreadGroup final : public Group {
 public:
  ThreadGroup(Meeting& meeting, int rank) : meeting_(meeting), rank_(rank) {}
  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(meeting_.parts.size()); }

  void sum(std::span<float> values) override {
    meeting_.parts[static_cast<std::size_t>(rank_)] = values;
    meeting_.barrier.arrive_and_wait();
    std::vector<float> total(values.size(), 0.0F);
    for (const std::span<float> part : meeting_.parts) {
      for (std::size_t i = 0; i < total.size(); ++i) total[i] += part[i];
    }
    meeting_.barrier.arrive_and_wait();
    std::ranges::copy(total, values.begin());
  }

  void poll() override {}
  void broadcast(std::span<std::byte> bytes, int root) override {
    if (rank_ == root) meeting_.said = bytes;
    meeting_.barrier.arrive_and_wait();
    if (rank_ != root) std::ranges::copy(meeting_.said, bytes.begin());
    meeting_.barrier.arrive_and_wait();
  }

 private:
  Meeting& meeting_;
  int rank_;
};

using Load = std::function<Weights(const ModelShard&, host::ThreadTeam&)>;

/// What a member has seen: the logits after each step, and the tokens that it chose.
struct Seen {
  std::vector<float> logits;
  std::vector<std::int32_t> tokens;
  std::uint64_t hash = 0;
};

/// Two sequences: a prompt at once, another in pieces; then steps of both, each fed with `answers` when there
/// are some and with its own tokens otherwise.
Seen answer(const Load& load, const ModelConfig& config, Group& group, int threads,
            std::span<const std::int32_t> answers) {
  constexpr std::size_t kPrompt = 21, kSteps = 8;
  host::ThreadTeam team(std::vector<int>(static_cast<std::size_t>(threads), 0));
  const Weights weights = load(shard_model(config, {group.rank(), group.size()}), team);
  HostEngineOptions options;
  options.kv_blocks = 8;
  options.group = &group;
  const auto engine = make_host_engine(weights, team, options);
  const std::vector<Request> requests = random_requests(2, kPrompt, 1, config.vocab, 5);
  const auto vocab = static_cast<std::size_t>(config.vocab);

  Seen seen;
  seen.hash = weights.hash();
  std::vector<float> logits(2 * vocab);
  std::vector<std::int32_t> next(2);
  const auto step = [&](std::span<const SequenceSlice> batch) {
    engine->step(batch, std::span(next).first(batch.size()), logits.data());
    for (std::size_t i = 0; i < batch.size(); ++i) {
      seen.logits.insert(seen.logits.end(), logits.begin() + static_cast<std::ptrdiff_t>(i * vocab),
                         logits.begin() + static_cast<std::ptrdiff_t>((i + 1) * vocab));
      seen.tokens.push_back(next[i]);
    }
  };
  const int first = engine->kv().open(), second = engine->kv().open();
  for (const int sequence : {first, second}) EXPECT_TRUE(engine->kv().reserve(sequence, kPrompt + kSteps));
  const std::span<const std::int32_t> a = requests[0].prompt, b = requests[1].prompt;
  const SequenceSlice start[] = {{first, a}, {second, b.first(3)}};
  step(start);
  const SequenceSlice rest{second, b.subspan(3)};
  step({&rest, 1});
  std::int32_t last[] = {seen.tokens[0], seen.tokens[2]};
  for (std::size_t i = 0; i < kSteps; ++i) {
    for (std::size_t s = 0; s < 2; ++s) {
      if (!answers.empty()) last[s] = answers[i == 0 ? 2 * s : 3 + 2 * (i - 1) + s];
    }
    const SequenceSlice both[] = {{first, {&last[0], 1}}, {second, {&last[1], 1}}};
    step(both);
    last[0] = next[0];
    last[1] = next[1];
  }
  return seen;
}

std::vector<Seen> divided(const Load& load, const ModelConfig& config, int size,
                          std::span<const std::int32_t> answers) {
  Meeting meeting(size);
  std::vector<Seen> seen(static_cast<std::size_t>(size));
  {
    std::vector<std::jthread> members;
    for (int rank = 0; rank < size; ++rank) {
      members.emplace_back([&, rank] {
        ThreadGroup group(meeting, rank);
        // Members need not have as many threads as one another.
        seen[static_cast<std::size_t>(rank)] = answer(load, config, group, 1 + rank % 2, answers);
      });
    }
  }
  return seen;
}

double relative_error(std::span<const float> actual, std::span<const float> expected) {
  double difference = 0, length = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference += std::pow(static_cast<double>(actual[i]) - expected[i], 2);
    length += std::pow(static_cast<double>(expected[i]), 2);
  }
  return std::sqrt(difference / length);
}

/// Divides the model in every way that it can be and returns in which.
std::set<int> expect_the_same(const std::string& name, const ModelConfig& config, const Load& load) {
  // Sums in another order, and experts' activations rounded to what their products want.
  constexpr double kTolerance = 2e-3;
  SoloGroup alone;
  const Seen whole = answer(load, config, alone, 1, {});
  std::set<int> sizes;
  for (const int size : {2, 3, 4}) {
    SCOPED_TRACE(name + " over " + std::to_string(size));
    try {
      shard_model(config, {0, size});
    } catch (const UsageError&) {
      continue;  // too small
    }
    sizes.insert(size);
    const std::vector<Seen> members = divided(load, config, size, whole.tokens);
    std::set<std::uint64_t> hashes = {whole.hash};
    for (const Seen& member : members) {
      EXPECT_LT(relative_error(member.logits, whole.logits), kTolerance);
      EXPECT_EQ(
          std::memcmp(member.logits.data(), members[0].logits.data(), member.logits.size() * sizeof(float)),
          0)
          << "members have other logits than one another";
      EXPECT_EQ(member.tokens, members[0].tokens);
      EXPECT_TRUE(hashes.insert(member.hash).second) << "two members say that they hold the same weights";
    }
    for (std::size_t i = 0; i < whole.tokens.size(); ++i) {
      if (members[0].tokens[i] == whole.tokens[i]) continue;
      // Only two tokens that are as good as equal may change places.
      const float* const row = whole.logits.data() + i * static_cast<std::size_t>(config.vocab);
      EXPECT_NEAR(row[members[0].tokens[i]], row[whole.tokens[i]], 0.01) << i;
    }
  }
  return sizes;
}

TEST(TensorParallel, MembersOfEveryFamilyAnswerAsOne) {
  std::set<int> sizes;
  for (const char* name :
       {"gemma", "gpt-oss", "gpt-oss-mxfp4", "llama-gqa-tied", "llama-rope3", "mistral-window-sharded",
        "mixtral", "mixtral-fp8", "phi3-window", "qwen2-bias-tied", "qwen2-bias-untied", "qwen2-fp8-rows"}) {
    const ModelConfig config = read_model_config(kFixtures + name);
    const std::set<int> found =
        expect_the_same(name, config, [&](const ModelShard& shard, host::ThreadTeam& team) {
          return Weights::load(shard, kFixtures + name, team);
        });
    EXPECT_TRUE(found.contains(2)) << name;
    sizes.insert(found.begin(), found.end());
  }
  EXPECT_EQ(sizes, (std::set<int>{2, 3, 4}));
}

TEST(TensorParallel, SyntheticModelsOfEveryFormat) {
  ModelConfig dense;
  dense.name = "dense";
  dense.layers = 2;
  dense.hidden = 256;
  dense.intermediate = 512;
  dense.heads = 8;
  dense.kv_heads = 2;
  dense.head_dim = 64;
  dense.vocab = 300;
  dense.max_positions = 4096;
  dense.qkv_bias = true;
  ModelConfig experts = dense;
  experts.name = "experts";
  experts.experts = 4;
  experts.experts_per_token = 2;
  for (const ModelConfig& shape : {dense, experts}) {
    for (const WeightFormat format :
         {WeightFormat::bf16, WeightFormat::fp8_e4m3, WeightFormat::int4_awq, WeightFormat::mxfp4}) {
      ModelConfig config = shape;
      set_weight_format(config, format);
      const auto load = [](const ModelShard& shard, host::ThreadTeam& team) {
        return Weights::synthetic(shard, 7, team);
      };
      const std::set<int> sizes =
          expect_the_same(config.name + " in " + std::string(to_string(format)), config, load);
      EXPECT_TRUE(sizes.contains(2) && sizes.contains(4));
    }
  }
}

TEST(TensorParallel, WeightsOfOneMemberInAnothersPlaceAreRefused) {
  host::ThreadTeam team({0});
  const ModelConfig config = read_model_config(kFixtures + "llama-gqa-tied");
  const Weights half = Weights::load(shard_model(config, {1, 2}), kFixtures + "llama-gqa-tied", team);
  EXPECT_THROW(make_host_engine(half, team, {}), Error);
}

}  // namespace
}  // namespace sparkmpi::kernels::inference
