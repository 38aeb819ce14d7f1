#include "kernels/inference/scheduler.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "base/error.hpp"
#include "kernels/inference/logits.hpp"
#include "kernels/inference/request_metrics.hpp"

namespace sparkmpi::kernels::inference {
namespace {

using testing::ElementsAre;

/// Answers each step with the sequence's length, and notes what it was given.
class FakeEngine final : public Engine {
 public:
  FakeEngine(std::int64_t blocks, int block_tokens) : cache_(blocks, block_tokens) { config_.vocab = 4; }
  const ModelConfig& config() const override { return config_; }
  KvCache& kv() override { return cache_; }
  void step(std::span<const SequenceSlice> batch, std::span<std::int32_t> next, float* logits) override {
    std::vector<std::size_t> sizes;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      // Mean 0, standard deviation lead/√2; the largest is lead above the second.
      if (logits != nullptr) {
        const auto lead = static_cast<float>(1 + batch[i].tokens.size());
        const float rest[4] = {lead, 0, 0, -lead};
        std::copy(rest, rest + 4, logits + i * 4);
      }
      sizes.push_back(batch[i].tokens.size());
      cache_.append(batch[i].sequence, static_cast<std::int64_t>(batch[i].tokens.size()));
      next[i] = static_cast<std::int32_t>(cache_.length(batch[i].sequence));
    }
    steps.push_back(sizes);
  }
  void prescribe_experts(std::optional<int>) override {}
  StepBytes step_bytes(std::span<const SequenceSlice>) const override { return {1000, 10}; }

  std::vector<std::vector<std::size_t>> steps;  ///< tokens of each slice of each step

 private:
  ModelConfig config_;
  KvCache cache_;
};

std::vector<Request> requests_of(std::vector<std::pair<std::size_t, std::int64_t>> lengths) {
  std::vector<Request> requests;
  for (const auto& [prompt, output] : lengths)
    requests.push_back({std::vector<std::int32_t>(prompt, 1), output});
  return requests;
}

class SchedulerTest : public testing::Test {
 protected:
  RequestLog run(FakeEngine& engine, const std::vector<Request>& requests, SchedulerOptions options) {
    return run_requests(engine, requests, options, clock_, stop_);
  }
  const Clock clock_;
  StopSignal stop_;
};

TEST_F(SchedulerTest, NotesHowClearlyTokensWereChosenWhenAsked) {
  FakeEngine engine(10, 16);
  SchedulerOptions options;
  const auto requests = requests_of({{5, 3}, {2, 2}});
  for (const TokenEvent& token : run(engine, requests, options).tokens) EXPECT_FALSE(token.margin);
  options.margins = true;
  const RequestLog log = run(engine, requests, options);
  ASSERT_EQ(log.tokens.size(), 5U);
  for (const TokenEvent& token : log.tokens) EXPECT_NEAR(token.margin.value(), std::sqrt(2.0), 1e-6);
}

TEST(Logits, MarginIsTheLargestAboveTheSecondInStandardDeviations) {
  const std::vector<float> logits = {1, 5, -3, 4, -7};
  EXPECT_NEAR(standard_deviation(logits), std::sqrt(20.0), 1e-6);
  EXPECT_NEAR(top_margin(logits), 1 / std::sqrt(20.0), 1e-6);
  EXPECT_NEAR(top_margin(std::vector<float>{4, 1, 4}), 0, 1e-12) << "a tie";
  EXPECT_EQ(top_margin(std::vector<float>{2, 2, 2}), 0);
}

TEST_F(SchedulerTest, OneRequestIsPrefilledThenDecoded) {
  FakeEngine engine(10, 16);
  const auto requests = requests_of({{5, 3}});
  const RequestLog log = run(engine, requests, {1, 512, 0});
  EXPECT_THAT(engine.steps, ElementsAre(ElementsAre(5U), ElementsAre(1U), ElementsAre(1U)));
  ASSERT_EQ(log.tokens.size(), 3U);
  EXPECT_EQ(log.tokens[0].id, 5);
  EXPECT_EQ(log.tokens[2].id, 7);
  EXPECT_EQ(log.steps[0].prefill_tokens, 5);
  EXPECT_EQ(log.steps[1].decode_tokens, 1);
  EXPECT_TRUE(log.requests[0].finished);
  EXPECT_EQ(engine.kv().free_blocks(), 10);
  EXPECT_EQ(engine.kv().peak_blocks(), 1);
}

TEST_F(SchedulerTest, LongPromptsComeInPiecesBesideDecoding) {
  FakeEngine engine(100, 16);
  const auto requests = requests_of({{2, 4}, {10, 1}});
  run(engine, requests, {2, 4, 0});
  EXPECT_THAT(engine.steps[0], ElementsAre(2U, 2U));  // four prompt tokens in all
  EXPECT_THAT(engine.steps[1], ElementsAre(1U, 4U));
  EXPECT_THAT(engine.steps[2], ElementsAre(1U, 4U));
}

TEST_F(SchedulerTest, ARequestTakesTheSlotOfTheOneThatLeft) {
  FakeEngine engine(100, 16);
  const auto requests = requests_of({{1, 1}, {1, 3}, {1, 2}});
  const RequestLog log = run(engine, requests, {2, 512, 0});
  EXPECT_THAT(engine.steps, ElementsAre(ElementsAre(1U, 1U), ElementsAre(1U, 1U), ElementsAre(1U, 1U)));
  EXPECT_EQ(log.tokens.size(), 6U);
  for (const RequestEvent& request : log.requests) EXPECT_TRUE(request.finished);
  EXPECT_GE(log.requests[2].start_s, log.steps[0].end_s);
}

TEST_F(SchedulerTest, ARequestWaitsUntilItsWholeLengthFitsTheCache) {
  FakeEngine engine(2, 16);
  const auto requests = requests_of({{16, 1}, {32, 1}, {1, 1}});
  run(engine, requests, {3, 512, 0});
  // The second needs both blocks and waits; the third, though small, does not overtake it.
  EXPECT_THAT(engine.steps[0], ElementsAre(16U));
  EXPECT_THAT(engine.steps[1], ElementsAre(32U));
  EXPECT_THAT(engine.steps[2], ElementsAre(1U));
}

TEST_F(SchedulerTest, ARequestLargerThanTheCacheIsSaid) {
  FakeEngine engine(2, 16);
  const auto requests = requests_of({{40, 1}});
  EXPECT_THROW(run(engine, requests, {1, 512, 0}), UsageError);
  EXPECT_EQ(engine.kv().free_blocks(), 2);
}

TEST_F(SchedulerTest, DepthIsFilledBeforeTheClockStarts) {
  FakeEngine engine(100, 16);
  const auto requests = requests_of({{20, 2}});
  const RequestLog log = run(engine, requests, {1, 8, 15});
  EXPECT_THAT(engine.steps, ElementsAre(ElementsAre(8U), ElementsAre(7U), ElementsAre(5U), ElementsAre(1U)));
  ASSERT_EQ(log.steps.size(), 2U);
  EXPECT_EQ(log.steps[0].prefill_tokens, 5);
}

TEST_F(SchedulerTest, AStopRequestKeepsWhatThereIsAndFreesTheCache) {
  FakeEngine engine(100, 16);
  const auto requests = requests_of({{1, 100}});
  const RequestLog log = run_requests(engine, requests, {1, 512, 0}, clock_, stop_, [&](std::int64_t tokens) {
    if (tokens == 5) stop_.request();
  });
  EXPECT_TRUE(log.interrupted);
  EXPECT_EQ(log.tokens.size(), 5U);
  EXPECT_FALSE(log.requests[0].finished);
  EXPECT_EQ(engine.kv().free_blocks(), 100);
}

TEST_F(SchedulerTest, PrefillAloneGivesNoTokens) {
  FakeEngine engine(100, 16);
  const auto requests = requests_of({{20, 0}, {5, 0}});
  EXPECT_EQ(kv_tokens(requests[0]), 20);
  const RequestLog log = run(engine, requests, {2, 8, 0});
  EXPECT_TRUE(log.tokens.empty());
  std::int64_t prefilled = 0;
  for (const StepEvent& step : log.steps) {
    prefilled += step.prefill_tokens;
    EXPECT_EQ(step.decode_tokens, 0);
  }
  EXPECT_EQ(prefilled, 25);
  EXPECT_TRUE(log.requests[0].finished && log.requests[1].finished);
  EXPECT_EQ(engine.kv().free_blocks(), 100);
}

TEST_F(SchedulerTest, DecodeAloneDecodesInEveryStep) {
  for (const std::int64_t depth : {0, 15}) {
    FakeEngine engine(100, 16);
    const auto requests = requests_of({{static_cast<std::size_t>(depth) + 1, 4}});
    SchedulerOptions options;
    options.depth = depth;
    options.decode_only = true;
    const RequestLog log = run(engine, requests, options);
    ASSERT_EQ(log.steps.size(), 4U);
    for (const StepEvent& step : log.steps) {
      EXPECT_EQ(step.prefill_tokens, 0);
      EXPECT_EQ(step.decode_tokens, 1);
    }
    EXPECT_EQ(log.tokens.size(), 4U);
  }
}

/// Made-up times: two requests, 10 ms a step.
RequestLog made_up_log() {
  RequestLog log;
  log.start_s = 1.0;
  log.end_s = 1.06;
  log.requests = {{1.0, 4, 3, true}, {1.01, 4, 1, true}};
  log.tokens = {{0, 5, 1.02}, {0, 6, 1.03}, {1, 9, 1.04}, {0, 7, 1.06}};
  log.steps = {{1.0, 1.02, 4, 0, {100, 0}},
               {1.02, 1.03, 0, 1, {100, 10}},
               {1.03, 1.04, 4, 1, {100, 10}},
               {1.05, 1.06, 0, 1, {100, 20}}};
  return log;
}

std::vector<double> values_of(const results::KernelRecord& record, const std::string& metric) {
  return std::ranges::find(record.series, metric, &results::Series::metric)->values;
}

TEST(RequestMetrics, FollowTheirDefinitions) {
  ledger::LedgerSet ledgers;
  const Clock clock;
  Recorder recorder(kMetrics, ledgers, clock);
  record_log(made_up_log(), {0, 1e5, true}, recorder);
  const results::KernelRecord record = std::move(recorder).take();
  EXPECT_NEAR(values_of(record, "ttft_s")[0], 0.02, 1e-12);
  EXPECT_NEAR(values_of(record, "ttft_s")[1], 0.03, 1e-12);
  EXPECT_NEAR(values_of(record, "tpot_s")[0], 0.02, 1e-12);
  EXPECT_TRUE(std::isnan(values_of(record, "tpot_s")[1]));  // one token has no pace
  EXPECT_THAT(values_of(record, "itl_s"),
              ElementsAre(testing::DoubleNear(0.01, 1e-12), testing::DoubleNear(0.03, 1e-12)));
  EXPECT_NEAR(values_of(record, "output_tokens_per_s")[0], 4 / 0.06, 1e-9);
  EXPECT_NEAR(values_of(record, "requests_per_s")[0], 2 / 0.06, 1e-9);
  EXPECT_NEAR(values_of(record, "prefill_tokens_per_s")[0], 4 / 0.02,
              1e-9);  // the mixed step counts for neither
  EXPECT_NEAR(values_of(record, "decode_tokens_per_s")[0], 2 / 0.02, 1e-9);
  EXPECT_NEAR(values_of(record, "decode_bytes_per_s")[0], 230 / 0.02, 1e-6);
  EXPECT_NEAR(values_of(record, "mbu_measured")[0], 230 / 0.02 / 1e5, 1e-9);
  EXPECT_THAT(values_of(record, "token_id"), ElementsAre(5, 6, 9, 7));
}

TEST(RequestMetrics, ACounterThatDidNotMoveGivesNoEnergy) {
  ledger::LedgerSet ledgers;
  const Clock clock;
  for (const double energy : {8.0, 0.0}) {
    Recorder recorder(kMetrics, ledgers, clock);
    LogContext context{0, 1e5, true};
    context.energy_j = energy;
    record_log(made_up_log(), context, recorder);
    const results::KernelRecord record = std::move(recorder).take();
    const double given = values_of(record, "energy_per_output_token_j")[0];
    if (energy > 0) {
      EXPECT_NEAR(given, 8.0 / 4, 1e-12);
    } else {
      EXPECT_TRUE(std::isnan(given));
    }
  }
}

TEST(RequestMetrics, OnlyTheFirstMemberOfAGroupAnswers) {
  ledger::LedgerSet ledgers;
  const Clock clock;
  Recorder recorder(kMetrics, ledgers, clock);
  LogContext context{0, 1e5, true};
  context.answers = false;
  record_log(made_up_log(), context, recorder);
  const results::KernelRecord record = std::move(recorder).take();
  std::vector<std::string> metrics;
  for (const results::Series& series : record.series) metrics.push_back(series.metric);
  EXPECT_THAT(metrics,
              testing::UnorderedElementsAre("step_repetition", "step_start_s", "step_time_s", "step_bytes",
                                            "decode_bytes_per_s", "mbu_measured", "wall_time_s"));
  EXPECT_NEAR(values_of(record, "mbu_measured")[0], 230 / 0.02 / 1e5, 1e-9);
}

/// A member of a group of two whose other member is asked to stop before the fourth agreement.
class OtherMemberStops final : public Group {
 public:
  int rank() const override { return 0; }
  int size() const override { return 2; }
  void sum(std::span<float> values) override {
    if (++calls_ == 4) values[0] += 1;
  }
  void poll() override {}
  void broadcast(std::span<std::byte>, int) override {}

 private:
  int calls_ = 0;
};

TEST_F(SchedulerTest, MembersStopTogether) {
  FakeEngine engine(100, 16);
  const auto requests = requests_of({{1, 100}});
  OtherMemberStops group;
  SchedulerOptions options;
  options.group = &group;
  const RequestLog log = run_requests(engine, requests, options, clock_, stop_);
  EXPECT_TRUE(log.interrupted);
  EXPECT_EQ(log.tokens.size(), 3U);
}

TEST(RequestMetrics, AnImpossibleBandwidthIsAnError) {
  ledger::LedgerSet ledgers;
  const Clock clock;
  Recorder recorder(kMetrics, ledgers, clock);
  EXPECT_THROW(record_log(made_up_log(), {0, 8000, false}, recorder), Error);
}

}  // namespace
}  // namespace sparkmpi::kernels::inference
