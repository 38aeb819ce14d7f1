#include "analysis/compare.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "analysis/compare_sentence.hpp"
#include "analysis/statistics/sample.hpp"
#include "base/error.hpp"
#include "tests/analysis/synthetic.hpp"

namespace sparkmpi::analysis {
namespace {

using testing::Contains;
using testing::HasSubstr;

const Comparison& of(const CompareResult& result, std::string_view metric, std::string_view model) {
  const auto found = std::ranges::find_if(result.comparisons, [&](const Comparison& comparison) {
    return comparison.metric.name == metric && comparison.model == model;
  });
  if (found == result.comparisons.end()) throw Error("no such comparison");
  return *found;
}

TEST(Compare, TellsDifferentEquivalentAndUndecidedApart) {
  SyntheticStudy study;
  study.docker_slowdown = 0.05;
  const CompareResult result = compare(make_study(study), CompareOptions{});
  EXPECT_EQ(result.reference, "native");
  const Comparison& rate = of(result, "output_tokens_per_s", "Large-8B");
  EXPECT_EQ(rate.verdict, Verdict::different);
  EXPECT_NEAR(rate.relative, -0.05, 0.005);
  EXPECT_LT(rate.percentile.low, rate.difference);
  EXPECT_GT(rate.percentile.high, rate.difference);
  EXPECT_THAT(rate.sentence, HasSubstr("docker is"));
  EXPECT_THAT(rate.sentence, HasSubstr("below native"));
  EXPECT_EQ(of(result, "ttft_s", "Small-1B").verdict, Verdict::equivalent);
  EXPECT_THAT(of(result, "ttft_s", "Small-1B").sentence, HasSubstr("equivalent within ±1 %"));
  EXPECT_EQ(of(result, "peak_memory_bytes", "Small-1B").verdict, Verdict::equivalent);

  SyntheticStudy noisy;
  noisy.launch_noise = 0.05;
  const CompareResult unsure = compare(make_study(noisy), CompareOptions{});
  const Comparison& open = of(unsure, "output_tokens_per_s", "Small-1B");
  EXPECT_EQ(open.verdict, Verdict::undecided);
  EXPECT_GT(open.launches_to_decide, 10U);
  EXPECT_THAT(open.sentence, HasSubstr("launches of each would decide"));
}

TEST(Compare, ARealDifferenceInsideTheMarginIsSmall) {
  SyntheticStudy study;
  study.docker_slowdown = 0.004;
  study.launch_noise = 0.001;
  study.blocks = 12;
  EXPECT_EQ(of(compare(make_study(study), CompareOptions{}), "output_tokens_per_s", "Small-1B").verdict,
            Verdict::small);
}

TEST(Compare, PermutesWithinTheStudysBlocks) {
  SyntheticStudy study;
  study.blocks = 6;
  const CompareResult result = compare(make_study(study), CompareOptions{});
  EXPECT_EQ(result.comparisons.front().permutation.arrangements, 64) << "two ways in each of six blocks";
}

TEST(Compare, ManyComparisonsAreCorrectedTogether) {
  const CompareResult result = compare(make_study({}), CompareOptions{});
  for (const Comparison& comparison : result.comparisons)
    EXPECT_GE(comparison.adjusted_p, comparison.permutation.p);
  EXPECT_EQ(result.comparisons.size(), 6U) << "three metrics of two models";
}

TEST(Compare, OneLaunchSaysNothing) {
  SyntheticStudy study;
  study.blocks = 1;
  const CompareResult result = compare(make_study(study), CompareOptions{});
  EXPECT_EQ(result.comparisons.front().verdict, Verdict::undecided);
  EXPECT_THAT(result.comparisons.front().sentence, HasSubstr("one launch says nothing"));
}

TEST(Compare, SaysWhenNoDataFromSoFewLaunchesCouldDecide) {
  SyntheticStudy study;
  study.blocks = 4;
  study.docker_slowdown = 0.5;
  const CompareResult result = compare(make_study(study), CompareOptions{});
  const Comparison& rate = of(result, "output_tokens_per_s", "Small-1B");
  EXPECT_EQ(rate.verdict, Verdict::undecided) << "2^4 arrangements, six tests";
  EXPECT_NEAR(rate.smallest_p, 6 * 2 / 16.0, 1e-12);
  EXPECT_EQ(rate.launches_to_decide, 8U) << "2 / 2^8 is the first below 0.05 / 6";
  EXPECT_THAT(rate.sentence, HasSubstr("could give p below"));
}

TEST(Compare, ZeroInEveryLaunchIsTheSameWhateverTheMargin) {
  Comparison comparison;
  comparison.reference.values = {0, 0, 0};
  comparison.other.values = {0, 0};
  EXPECT_TRUE(never_differs(comparison));
  comparison.reference.level = "native";
  comparison.other.level = "runc";
  comparison.metric.unit = "1";
  comparison.verdict = Verdict::equivalent;
  EXPECT_EQ(predicate_of(comparison, CompareOptions{}), "runc and native are the same in every launch (0).");
  comparison.other.values = {0, 1};
  EXPECT_FALSE(never_differs(comparison));
  comparison.other.values = {0};
  EXPECT_FALSE(never_differs(comparison)) << "one launch says nothing";
}

TEST(Compare, FourDigitsWhereAPerMilleMatters) {
  EXPECT_EQ(percent(std::numeric_limits<double>::infinity()), "-") << "a change from zero has no share";
  EXPECT_EQ(precise(119.6912, "1/s"), "119.7 /s");
  EXPECT_EQ(precise(70.45 * kGiB, "B"), "70.45 GiB");
  EXPECT_EQ(precise(-0.00125, "s"), "-1.250 ms");
  EXPECT_EQ(precise(59900, "1/s"), "59900 /s");
  EXPECT_EQ(precise(0, "B"), "0 B");
  EXPECT_EQ(precise(std::nan(""), "s"), "-");
}

TEST(Compare, LevelsThatAreNumbersCarryTheFactorsName) {
  CompareOptions options;
  options.factor = "block";
  EXPECT_THAT(compare(make_study({}), options).comparisons.front().sentence, HasSubstr("block=1"));
}

TEST(Compare, CautionsWhenOrderAndLevelAreOne) {
  Table table;
  const std::uint32_t metric =
      table.add(Metric{"x_s", "s", "", results::Better::lower, results::Origin::measured});
  for (int i = 0; i < 8; ++i) {
    Launch launch;
    launch.environment = i < 4 ? "native" : "docker";
    launch.start_time = fmt::format("2026-01-01T0{}:00:00Z", i);
    const std::uint32_t at = table.add(launch);
    Point point;
    point.launch = at;
    table.add(table.add(point), table.add(rank_at(at)), metric, std::vector<double>{1.0 + i % 4 * 0.01});
  }
  table.finish();
  const CompareResult result = compare(table, CompareOptions{});
  EXPECT_THAT(result.comparisons.front().cautions, Contains(HasSubstr("all native launches ran before")));
  EXPECT_THAT(result.comparisons.front().cautions, Contains(HasSubstr("BCa")));
}

/// Launches on two nodes of two ranks; node b is slower by 10 %, launches differ by much more.
Table two_nodes() {
  Table table;
  Random random(5);
  const std::uint32_t metric =
      table.add(Metric{"read_bytes_per_s", "B/s", "", results::Better::higher, results::Origin::measured});
  for (int i = 0; i < 8; ++i) {
    Launch launch;
    launch.nodes = 2;
    launch.ranks = 4;
    launch.file = fmt::format("{}.h5", i);
    const std::uint32_t at = table.add(launch);
    Point point;
    point.launch = at;
    point.kernel = "stream";
    const std::uint32_t of_point = table.add(point);
    const double level = 1e9 * (10 + 3 * gaussian(random));
    for (int r = 0; r < 4; ++r) {
      const std::uint32_t rank = table.add(Rank{at, r, r / 2, r < 2 ? "a" : "b", "host", "CPU", 0});
      table.add(of_point, rank, metric,
                std::vector<double>{level * (r < 2 ? 1 : 0.9) * (1 + 0.002 * gaussian(random))});
    }
  }
  table.finish();
  return table;
}

TEST(Compare, NodesAreComparedWithinLaunches) {
  CompareOptions options;
  options.factor = "node";
  const CompareResult result = compare(two_nodes(), options);
  ASSERT_EQ(result.comparisons.size(), 1U);
  EXPECT_TRUE(result.within_launch);
  EXPECT_EQ(result.comparisons.front().verdict, Verdict::different);
  EXPECT_LT(result.comparisons.front().welch.p, 0.001) << "the launches' own differences must cancel";
  EXPECT_GT(result.comparisons.front().mann_whitney.p, 0.05) << "unpaired, they hide it";
}

TEST(Compare, RefusesWhatMakesNoComparison) {
  const Table table = make_study({});
  CompareOptions options;
  options.factor = "enviroment";
  EXPECT_THROW(
      {
        try {
          compare(table, options);
        } catch (const UsageError& error) {
          EXPECT_THAT(error.what(), HasSubstr("did you mean 'environment'"));
          throw;
        }
      },
      UsageError);
  options.factor = "kernel";
  EXPECT_THROW(compare(table, options), UsageError) << "only one kernel";
  options.factor = "environment";
  options.reference = "podman";
  EXPECT_THROW(compare(table, options), UsageError);
}

TEST(Units, RatesAreAveragedHarmonicallyAndNodesCountOnce) {
  Table table;
  const std::uint32_t rate =
      table.add(Metric{"x_per_s", "1/s", "", results::Better::higher, results::Origin::derived});
  const std::uint32_t at = table.add(Launch{});
  const std::uint32_t point = table.add(Point{});
  // Two ranks on one node, one on another: the nodes' means are averaged, not the ranks'.
  table.add(point, table.add(Rank{at, 0, 0, "a", "", "", 0}), rate,
            std::vector<double>{1, 3});  // harmonic 1.5
  table.add(point, table.add(Rank{at, 1, 0, "a", "", "", 0}), rate, std::vector<double>{2.5, 2.5});
  table.add(point, table.add(Rank{at, 2, 1, "b", "", "", 0}), rate, std::vector<double>{4, 4, std::nan("")});
  table.finish();
  const Questions values = launch_values(table);
  ASSERT_EQ(values.questions.size(), 1U);
  ASSERT_EQ(values.questions.front().units.size(), 1U);
  EXPECT_DOUBLE_EQ(values.questions.front().units.front().value, (2.0 + 4.0) / 2);
}

}  // namespace
}  // namespace sparkmpi::analysis
