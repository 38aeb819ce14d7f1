#include "kernels/inference/verification.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "base/error.hpp"
#include "kernels/inference/host/host_engine.hpp"
#include "kernels/inference/prescribed_routing.hpp"

namespace sparkmpi::kernels::inference {
namespace {

constexpr VerificationLimits kLimits = kSinglePrecisionLimits;

/// Gives other logits for a whole text than for its last token alone, in its first `wrong` texts with experts
/// of the router's choice, and likewise in the first of those with prescribed ones.
class TwoMinds final : public Engine {
 public:
  TwoMinds(int experts, int wrong, int wrong_prescribed = 0)
      : wrong_(wrong), wrong_prescribed_(wrong_prescribed) {
    config_.vocab = 50;
    config_.experts = experts;
    config_.experts_per_token = 2;
  }
  const ModelConfig& config() const override { return config_; }
  KvCache& kv() override { return cache_; }
  StepBytes step_bytes(std::span<const SequenceSlice>) const override { return {}; }
  void prescribe_experts(std::optional<int> shift) override { prescribed = shift; }
  void step(std::span<const SequenceSlice> batch, std::span<std::int32_t>, float* logits) override {
    const bool whole = batch[0].tokens.size() > 1;
    if (logits == nullptr) return;
    for (int i = 0; i < config_.vocab; ++i) logits[i] = static_cast<float>(flat ? 1 : i);
    if (whole) return;
    if (prescribed ? prescribed_texts++ < wrong_prescribed_ : texts++ < wrong_) logits[7] += 5;
  }

  bool flat = false;
  std::optional<int> prescribed;
  int texts = 0, prescribed_texts = 0;

 private:
  ModelConfig config_;
  KvCache cache_{4, 16};
  int wrong_, wrong_prescribed_;
};

TEST(Verification, ADenseModelHasToAgreeAtOnce) {
  TwoMinds right(0, 0), wrong(0, 1);
  EXPECT_EQ(verify_engine(right, 1, kLimits).computed, 0);
  EXPECT_FALSE(verify_engine(right, 1, kLimits).routed);
  EXPECT_THROW(verify_engine(wrong, 1, kLimits), Error);
}

TEST(Verification, WhereTheRouterChoosesSomeTextsMayDifferButNotAll) {
  TwoMinds rerouted(8, 3), wrong(8, 1000);
  const Verification verified = verify_engine(rerouted, 1, kLimits);
  EXPECT_EQ(verified.computed, 0);
  EXPECT_EQ(verified.routed, 0);
  EXPECT_EQ(rerouted.texts, 4);
  EXPECT_EQ(rerouted.prescribed_texts, 4);
  EXPECT_FALSE(rerouted.prescribed);
  EXPECT_THROW(verify_engine(wrong, 1, kLimits), Error);
}

TEST(Verification, WithPrescribedExpertsEveryTextHasToAgree) {
  TwoMinds wrong(8, 0, 1);
  EXPECT_THROW(verify_engine(wrong, 1, {0.05, 3}), Error);
  EXPECT_FALSE(wrong.prescribed) << "the experts are still prescribed";
}

TEST(Verification, EqualLogitsLeaveNothingToCompare) {
  for (const int experts : {0, 8}) {
    TwoMinds flat(experts, 0);
    flat.flat = true;
    EXPECT_THROW(verify_engine(flat, 1, kLimits), Error);
  }
}

TEST(PrescribedRouting, TextsTakeEveryExpertOfEveryLayerToALastToken) {
  for (const auto& [experts, chosen] : {std::pair{8, 2}, {32, 4}, {128, 4}, {10, 4}, {5, 5}, {3, 1}}) {
    const PrescribedRouting any{experts, chosen, 0};
    for (const int layer : {0, 1, 200}) {
      std::set<int> taken;
      for (int shift = 0; shift < any.texts(); ++shift) {
        const PrescribedRouting routing{experts, chosen, shift};
        int of_token = 0;
        for (int expert = 0; expert < experts; ++expert) {
          if (!routing.takes(expert, kVerificationTokens - 1, layer)) continue;
          ++of_token;
          taken.insert(expert);
        }
        EXPECT_EQ(of_token, chosen);
      }
      EXPECT_EQ(taken.size(), static_cast<std::size_t>(experts)) << chosen << " of them, layer " << layer;
    }
  }
}

/// Forty experts in each of two layers.
ModelConfig many_experts(int chosen) {
  ModelConfig config;
  config.name = "many";
  config.layers = 2;
  config.hidden = 64;
  config.intermediate = 64;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 16;
  config.vocab = 256;
  config.max_positions = 256;
  config.experts = 40;
  config.experts_per_token = chosen;
  set_weight_format(config, WeightFormat::fp8_e4m3);
  return config;
}

/// The host's engine, whose decode steps multiply one expert's scales by a factor.
class OneExpertOff final : public Engine {
 public:
  OneExpertOff(const Weights& weights, host::ThreadTeam& team)
      : weights_(weights), engine_(make_host_engine(weights, team, {4, 16, host::Simd::portable})) {}
  const ModelConfig& config() const override { return engine_->config(); }
  KvCache& kv() override { return engine_->kv(); }
  StepBytes step_bytes(std::span<const SequenceSlice> batch) const override {
    return engine_->step_bytes(batch);
  }
  void prescribe_experts(std::optional<int> shift) override { engine_->prescribe_experts(shift); }
  void step(std::span<const SequenceSlice> batch, std::span<std::int32_t> next, float* logits) override {
    const bool decode = batch[0].tokens.size() == 1;
    if (decode) scale(factor);
    engine_->step(batch, next, logits);
    if (decode) scale(1 / factor);
  }

  int layer = 0, expert = 0;
  float factor = 1;

 private:
  void scale(float by) {
    if (by == 1) return;
    const Matrix& down = weights_.layer(layer).feed_forward[static_cast<std::size_t>(expert)].down;
    for (std::size_t row = 0; row < down.rows; ++row) {
      // The weights' own memory, which only a test may write to.
      auto* const at = const_cast<std::byte*>(down.scales) + row * down.distance.scales;
      float value = 0;
      std::memcpy(&value, at, sizeof value);
      value *= by;
      std::memcpy(at, &value, sizeof value);
    }
  }

  const Weights& weights_;
  std::unique_ptr<Engine> engine_;
};

/// A model whose tokens go to `chosen` experts, on an engine with a fault.
class Faulty {
 public:
  explicit Faulty(int chosen) : weights_(Weights::synthetic(shard_model(many_experts(chosen)), 5, team_)) {}
  /// What the verification finds when decode steps multiply the scales of one expert by `factor`.
  Verification find(int layer, int expert, float factor, const VerificationLimits& limits) {
    OneExpertOff engine(weights_, team_);
    engine.layer = layer;
    engine.expert = expert;
    engine.factor = factor;
    const Verification found = verify_engine(engine, 1, limits);
    EXPECT_EQ(engine.kv().free_blocks(), 4);
    return found;
  }

 private:
  host::ThreadTeam team_{{0}};
  Weights weights_;
};

class ManyExperts : public testing::TestWithParam<int> {
 protected:
  Faulty model_{GetParam()};
};

TEST_P(ManyExperts, AgreeWithinRoundings) {
  const Verification verified = model_.find(0, 0, 1, kLimits);
  EXPECT_LT(verified.computed, 0.01);
  EXPECT_TRUE(verified.routed);
}

TEST_P(ManyExperts, AFaultOfAnyOneIsFound) {
  const float factor = GetParam() == 1 ? 1.1F : 2;  // of four, each counts for a part
  for (const int layer : {0, 1}) {
    for (const int expert : {0, 13, 26, 39}) {
      SCOPED_TRACE(testing::Message() << "layer " << layer << ", expert " << expert);
      EXPECT_THROW(model_.find(layer, expert, factor, kLimits), Error);
      // A limit wide enough for other experts does not see it, nor does a text that goes nowhere near it.
      EXPECT_NO_THROW(model_.find(layer, expert, factor, {3, kLimits.routed}));
    }
  }
}

TEST(Verification, FivePerCentOfTheOneExpertThatATokenGoesToIsFound) {
  Faulty model(1);
  EXPECT_THROW(model.find(0, 7, 1.05F, kLimits), Error);
  EXPECT_NO_THROW(model.find(0, 7, 1.05F, {3, 3}));
}

INSTANTIATE_TEST_SUITE_P(ATokenGoesTo, ManyExperts, testing::Values(1, 4));

}  // namespace
}  // namespace sparkmpi::kernels::inference
