#include "analysis/scale.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "analysis/scale_sentence.hpp"
#include "base/error.hpp"
#include "tests/analysis/synthetic.hpp"

namespace sparkmpi::analysis {
namespace {

using testing::HasSubstr;

/// n ranks, each at `rate(n)`.
Table scaling_table(const std::function<double(int)>& rate, int launches) {
  Table table;
  Random random(9);
  const std::uint32_t metric =
      table.add(Metric{"x_per_s", "1/s", "", results::Better::higher, results::Origin::derived});
  for (const int ranks : {1, 2, 4, 8}) {
    for (int i = 0; i < launches; ++i) {
      Launch launch;
      launch.ranks = ranks;
      const std::uint32_t at = table.add(launch);
      Point point;
      point.launch = at;
      point.kernel = "stream";
      const std::uint32_t of_point = table.add(point);
      const double noise = 1 + 0.002 * gaussian(random);
      for (int r = 0; r < ranks; ++r)
        table.add(of_point, table.add(Rank{at, r, 0, "a", "", "", 0}), metric,
                  std::vector<double>{rate(ranks) * noise * (ranks == 8 && r == 5 ? 0.7 : 1)});
    }
  }
  table.finish();
  return table;
}

TEST(Scale, WeakScalingRecoversGustafsonsShare) {
  // S = n − f(n − 1) with f = 0.1 means a rank's rate of 1 − f + f/n.
  const ScaleResult result =
      scale(scaling_table([](int n) { return n == 8 ? (0.9 + 0.1 / n) * 8 / 7.7 : 0.9 + 0.1 / n; }, 5), {});
  ASSERT_EQ(result.curves.size(), 1U);
  const ScaleCurve& curve = result.curves.front();
  ASSERT_EQ(curve.points.size(), 4U);
  EXPECT_NEAR(curve.serial_share, 0.1, 0.01);
  EXPECT_LT(curve.serial_share_interval.low, 0.1);
  EXPECT_GT(curve.serial_share_interval.high, 0.1 - 0.01);
  EXPECT_NEAR(curve.points[1].efficiency, 0.95, 0.01);
  EXPECT_LT(curve.points[3].efficiency_interval.low, curve.points[3].efficiency);
  ASSERT_EQ(result.standouts.size(), 1U) << "rank 5 of 8 runs at 70 %";
  EXPECT_EQ(result.standouts.front().name, "5");
  EXPECT_NEAR(result.standouts.front().relative, -0.3, 0.02);
}

TEST(Scale, TensorParallelOverAllRanksIsOneCurve) {
  const auto table_with = [](const std::function<int(int)>& tp) {
    Table table;
    const std::uint32_t metric =
        table.add(Metric{"x_per_s", "1/s", "", results::Better::higher, results::Origin::derived});
    for (const int ranks : {1, 2, 4}) {
      for (const int batch : {1, 8}) {
        Launch launch;
        launch.ranks = ranks;
        const std::uint32_t at = table.add(launch);
        Point point;
        point.launch = at;
        point.kernel = "inference";
        point.parameters = {{"concurrency", fmt::format("{}", batch)}, {"tp", fmt::format("{}", tp(ranks))}};
        // Only the group's first rank says the group's rate.
        table.add(table.add(point), table.add(Rank{at, 0, 0, "a", "", "", 0}), metric,
                  std::vector<double>{10.0 * batch * ranks});
      }
    }
    table.finish();
    return table;
  };
  ScaleOptions strong;
  strong.scaling = Scaling::strong;
  const Table over_all = table_with([](int ranks) { return ranks; });
  strong.over = strong_over(over_all);
  EXPECT_EQ(strong.over, Over::tp);
  const ScaleResult divided = scale(over_all, strong);
  ASSERT_EQ(divided.curves.size(), 2U);
  EXPECT_EQ(divided.curves[0].condition, "concurrency=1");
  ASSERT_EQ(divided.curves[0].points.size(), 3U);
  EXPECT_DOUBLE_EQ(divided.curves[0].points[2].efficiency, 1);
  // What a rank reads a second is its own part's, not the work's.
  Table with_bytes = table_with([](int ranks) { return ranks; });
  with_bytes.add(0, 0, with_bytes.add(Metric{"decode_bytes_per_s", "B/s", "", results::Better::higher}),
                 std::vector<double>{1e9});
  EXPECT_EQ(scale(with_bytes, strong).curves.size(), 2U);
  // One group of ranks and two such groups are different things.
  const ScaleResult mixed = scale(table_with([](int ranks) { return ranks == 4 ? 2 : ranks; }), strong);
  ASSERT_EQ(mixed.curves.size(), 4U);
  EXPECT_EQ(mixed.curves[0].condition, "concurrency=1 replicas=1");
  EXPECT_EQ(mixed.curves[0].points.size(), 2U);
  EXPECT_EQ(mixed.curves[1].condition, "concurrency=1 replicas=2");
  // As replicas they are no curve at all: no two launches of one degree have different numbers of ranks.
  for (const ScaleCurve& curve : scale(over_all, {}).curves) EXPECT_EQ(curve.points.size(), 1U);
}

TEST(Scale, StrongScalingRecoversAmdahlsShare) {
  // Here the rate is the whole job's: S = 1 / (f + (1 − f)/n).
  ScaleOptions options;
  options.scaling = Scaling::strong;
  const ScaleResult result =
      scale(scaling_table([](int n) { return (n == 8 ? 8 / 7.7 : 1) / (0.2 + 0.8 / n); }, 1), options);
  EXPECT_NEAR(result.curves.front().serial_share, 0.2, 0.01);
  EXPECT_TRUE(std::isnan(result.curves.front().points[1].efficiency_interval.low))
      << "one launch has no interval";
}

TEST(Scale, SaysInWordsWhatTheFitCameTo) {
  ScaleCurve curve;
  curve.points.resize(2);
  curve.serial_share = 0.05;
  EXPECT_EQ(
      fit_sentence(curve, Scaling::strong),
      "Two sizes: by Amdahl's law 5.0 % would not scale; a third size is needed to see whether it holds.");
  curve.serial_share = 1.362;
  EXPECT_EQ(fit_sentence(curve, Scaling::strong),
            "More ranks are slower than few here: no share that does not scale describes that.");
  curve.serial_share = 0.05;
  curve.points.resize(3);
  curve.serial_share_interval = {0.04, 0.06};
  EXPECT_EQ(fit_sentence(curve, Scaling::strong),
            "Amdahl's fit: 5.0 % does not scale (95 % interval 4.0..6.0 %), so at most 20 times as fast.");
  EXPECT_EQ(fit_sentence(curve, Scaling::weak),
            "Gustafson's fit: 5.0 % does not scale (95 % interval 4.0..6.0 %).");
  curve.serial_share = -0.1;
  curve.serial_share_interval = {std::nan(""), std::nan("")};
  EXPECT_EQ(fit_sentence(curve, Scaling::strong),
            "Amdahl's fit: faster than in proportion, a share of -10.0 %.");
  curve.serial_share = std::nan("");
  EXPECT_EQ(fit_sentence(curve, Scaling::strong), "");
}

TEST(Scale, OverTpOnlyWhereAModelIsDivided) {
  const Table table = scaling_table([](int) { return 1.0; }, 2);
  EXPECT_EQ(strong_over(table), Over::ranks);
  ScaleOptions options;
  options.over = Over::tp;
  EXPECT_THROW(scale(table, options), UsageError) << "weak scaling over tp";
  options.scaling = Scaling::strong;
  try {
    scale(table, options);
    FAIL() << "scaled over tp without any";
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), HasSubstr("inference --tp"));
  }
}

}  // namespace
}  // namespace sparkmpi::analysis
