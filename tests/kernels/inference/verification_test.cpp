#include "kernels/inference/verification.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"

namespace sparkmpi::kernels::inference {
namespace {

/// Gives other logits for a whole text than for its last token alone, in its first `wrong` texts.
class TwoMinds final : public Engine {
 public:
  TwoMinds(int experts, int wrong) : wrong_(wrong) {
    config_.vocab = 50;
    config_.experts = experts;
  }
  const ModelConfig& config() const override { return config_; }
  KvCache& kv() override { return cache_; }
  StepBytes step_bytes(std::span<const SequenceSlice>) const override { return {}; }
  void step(std::span<const SequenceSlice> batch, std::span<std::int32_t>, float* logits) override {
    const bool whole = batch[0].tokens.size() > 1;
    if (logits == nullptr) return;
    for (int i = 0; i < config_.vocab; ++i) logits[i] = static_cast<float>(i);
    if (!whole && texts_++ < wrong_) logits[7] += 5;
  }

 private:
  ModelConfig config_;
  KvCache cache_{4, 16};
  int wrong_, texts_ = 0;
};

TEST(Verification, ADenseModelHasToAgreeAtOnce) {
  TwoMinds right(0, 0), wrong(0, 1);
  EXPECT_EQ(verify_engine(right, 1, kVerificationTolerance), 0);
  EXPECT_THROW(verify_engine(wrong, 1, kVerificationTolerance), Error);
}

TEST(Verification, WithExpertsSomeTextsMayDifferButNotAll) {
  TwoMinds rerouted(8, 3), wrong(8, 1000);
  EXPECT_EQ(verify_engine(rerouted, 1, kVerificationTolerance), 0);
  EXPECT_THROW(verify_engine(wrong, 1, kVerificationTolerance), Error);
}

}  // namespace
}  // namespace sparkmpi::kernels::inference
