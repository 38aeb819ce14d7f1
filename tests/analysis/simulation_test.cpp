// Error rates over many made-up studies, all seeded: p values under the null, nested data, a faultless audit.

#include <gtest/gtest.h>

#include <algorithm>

#include "analysis/audit.hpp"
#include "analysis/compare.hpp"
#include "analysis/statistics/permutation.hpp"
#include "analysis/statistics/welch.hpp"
#include "tests/analysis/synthetic.hpp"

namespace sparkmpi::analysis {
namespace {

/// The largest distance of the p values' distribution from the uniform one (Kolmogorov and Smirnov).
double distance_from_uniform(std::vector<double> p) {
  std::ranges::sort(p);
  double distance = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    const double below = static_cast<double>(i) / static_cast<double>(p.size()),
                 above = static_cast<double>(i + 1) / static_cast<double>(p.size());
    distance = std::max({distance, p[i] - below, above - p[i]});
  }
  return distance;
}

constexpr std::size_t kStudies = 2000;
const double kBound = 1.63 / std::sqrt(static_cast<double>(kStudies));  // passed by 99 % of uniform samples

TEST(UnderTheNull, PermutationPValuesAreUniform) {
  Random random(11);
  std::vector<double> p;
  for (std::size_t study = 0; study < kStudies; ++study) {
    std::vector<Block> blocks(2);
    for (Block& block : blocks) {
      const double level = 5 * gaussian(random);  // blocks differ; the labels within them don't
      for (int i = 0; i < 12; ++i) {
        block.values.push_back(level + gaussian(random));
        block.second.push_back(i % 2 == 0);
      }
    }
    p.push_back(permutation_test(blocks, 999, study).p);
  }
  EXPECT_LT(distance_from_uniform(p), kBound);
}

TEST(UnderTheNull, WelchAndTrendPValuesAreUniform) {
  Random random(12);
  std::vector<double> welch, trend;
  for (std::size_t study = 0; study < kStudies; ++study) {
    std::vector<double> a, b;
    for (int i = 0; i < 10; ++i) {
      a.push_back(gaussian(random));
      b.push_back(gaussian(random));
    }
    welch.push_back(welch_test(a, b).p);
    trend.push_back(trend_test(std::vector<analysis::Run>{a, b}, 999, study).p);
  }
  EXPECT_LT(distance_from_uniform(welch), kBound);
  EXPECT_LT(distance_from_uniform(trend), kBound);
}

/// Launches differ by more than their samples do; the environments don't differ.
Table nested_study(Random& random, std::vector<double>& native, std::vector<double>& docker) {
  constexpr int kLaunches = 6, kRanks = 4, kSamples = 10;
  Table table;
  const std::uint32_t metric =
      table.add(Metric{"output_tokens_per_s", "1/s", "", results::Better::higher, results::Origin::derived});
  for (int i = 0; i < 2 * kLaunches; ++i) {
    Launch launch;
    launch.environment = i % 2 == 0 ? "native" : "docker";
    launch.file = fmt::format("{}.h5", i);
    const std::uint32_t at = table.add(launch);
    Point point;
    point.launch = at;
    point.kernel = "inference";
    const std::uint32_t of_point = table.add(point);
    const double level = 100 + gaussian(random);
    for (int r = 0; r < kRanks; ++r) {
      const std::uint32_t rank = table.add(Rank{at, r, r / 2, "host", "host", "CPU", 0});
      std::vector<double> values;
      for (int k = 0; k < kSamples; ++k) values.push_back(level + gaussian(random));
      std::vector<double>& naive = i % 2 == 0 ? native : docker;
      naive.insert(naive.end(), values.begin(), values.end());
      table.add(of_point, rank, metric, values);
    }
  }
  table.finish();
  return table;
}

TEST(UnderTheNull, NestedDataKeepTheirLevelWhereATestOverSamplesDoesNot) {
  constexpr int kNested = 600;
  Random random(13);
  int over_launches = 0, over_samples = 0;
  for (int study = 0; study < kNested; ++study) {
    std::vector<double> native, docker;
    const CompareResult result = compare(nested_study(random, native, docker), CompareOptions{});
    ASSERT_EQ(result.comparisons.size(), 1U);
    over_launches += result.comparisons.front().adjusted_p <= 0.05 ? 1 : 0;
    over_samples += welch_test(native, docker).p <= 0.05 ? 1 : 0;
  }
  RecordProperty("false_differences_over_launches", over_launches);
  RecordProperty("false_differences_over_samples", over_samples);
  // 5 % of 600 are 30; 99.9 % of binomial draws lie within 14 .. 48.
  EXPECT_LT(over_launches, 49) << "of " << kNested;
  EXPECT_GT(over_launches, 13) << "of " << kNested << ": the test has lost its power";
  EXPECT_GT(over_samples, kNested / 2) << "the naive test is wrong most of the time here";
}

TEST(UnderTheNull, AuditOfQuietStudiesFindsNothing) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SyntheticStudy study;
    study.seed = seed;
    const AuditReport report = audit(make_study(study), AuditOptions{});
    for (const Finding& finding : report.findings) ADD_FAILURE() << "seed " << seed << ": " << finding.what;
  }
}

TEST(UnderTheNull, AuditOfNoisyStudiesKeepsItsFamilyWiseLevel) {
  int alarmed = 0, tested = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SyntheticStudy study;
    study.seed = 1000 + seed;
    study.launch_noise = 0.1;  // far above the margins: every drift test may become a finding
    study.memory_noise = 5;
    const AuditReport report = audit(make_study(study), AuditOptions{});
    alarmed += report.findings.empty() ? 0 : 1;
    tested += report.tests > 3 ? 1 : 0;
  }
  RecordProperty("alarms_in_200", alarmed);
  EXPECT_EQ(tested, 200) << "the studies must give the audit something to test";
  // 5 % of 200 are 10; 99.9 % of binomial draws are at most 20.
  EXPECT_LE(alarmed, 20);
}

}  // namespace
}  // namespace sparkmpi::analysis
