#include "ledger/sampler.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/error.hpp"

namespace sparkmpi::ledger {
namespace {

/// Counts its readings.
class Counter final : public Ledger {
 public:
  Counter(std::atomic<int>& reads, Cost cost) : reads_(reads), cost_(cost) {}
  std::string_view name() const override { return "counter"; }
  Cost cost() const override { return cost_; }
  void read(std::vector<Reading>& out) override {
    out.push_back({cost_ == Cost::cheap ? "counter.cheap" : "counter.costly", "1", Answer::value,
                   static_cast<double>(++reads_)});
  }

 private:
  std::atomic<int>& reads_;
  Cost cost_;
};

class SamplerTest : public testing::Test {
 protected:
  SamplerTest() { ledgers.add(std::make_unique<Counter>(cheap, Cost::cheap)); }

  std::atomic<int> cheap = 0;
  LedgerSet ledgers;
  const Clock clock;
};

TEST_F(SamplerTest, ReadsTheCheapLedgersUntilItIsStopped) {
  std::atomic<int> costly = 0;
  ledgers.add(std::make_unique<Counter>(costly, Cost::costly));
  Sampler sampler(ledgers, clock, 1000);
  sampler.start();
  while (cheap < 5) std::this_thread::yield();
  const Timeline timeline = sampler.stop();
  const int after_stop = cheap;
  ASSERT_EQ(timeline.columns.size(), 1U);
  EXPECT_EQ(timeline.columns[0].name, "counter.cheap");
  ASSERT_EQ(timeline.columns[0].values.size(), timeline.time_s.size());
  for (std::size_t i = 0; i < timeline.time_s.size(); ++i) {
    EXPECT_EQ(timeline.columns[0].values[i], static_cast<double>(i + 1));
    if (i > 0) {
      EXPECT_GT(timeline.time_s[i], timeline.time_s[i - 1]);
    }
  }
  EXPECT_EQ(costly, 0);
  EXPECT_EQ(cheap, after_stop);
}

TEST_F(SamplerTest, ReadsAtBothEndsHoweverShortTheTimeBetween) {
  Sampler sampler(ledgers, clock, 0.001);
  sampler.start();
  while (cheap < 1) std::this_thread::yield();
  EXPECT_EQ(sampler.stop().time_s.size(), 2U);
  for (int repetition = 0; repetition < 100; ++repetition) {
    sampler.start();
    EXPECT_GE(sampler.stop().time_s.size(), 1U);
  }
}

TEST_F(SamplerTest, RateZeroNeverReads) {
  Sampler sampler(ledgers, clock, 0);
  sampler.start();
  EXPECT_TRUE(sampler.stop().time_s.empty());
  EXPECT_EQ(cheap, 0);
  EXPECT_THROW(Sampler(ledgers, clock, -1), UsageError);
}

}  // namespace
}  // namespace sparkmpi::ledger
