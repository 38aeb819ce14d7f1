// Every statistic against SciPy and statsmodels (tests/tools/make_statistics_fixture.py) to 1e-6.

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "analysis/statistics/bootstrap.hpp"
#include "analysis/statistics/correlation.hpp"
#include "analysis/statistics/effect_size.hpp"
#include "analysis/statistics/mann_whitney.hpp"
#include "analysis/statistics/multiplicity.hpp"
#include "analysis/statistics/outliers.hpp"
#include "analysis/statistics/permutation.hpp"
#include "analysis/statistics/sample.hpp"
#include "analysis/statistics/shapiro_wilk.hpp"
#include "analysis/statistics/welch.hpp"

namespace sparkmpi::analysis {
namespace {

using nlohmann::json;

const json& expected() {
  static const json kDocument =
      json::parse(std::ifstream(std::string(SPARKMPI_FIXTURES) + "/analysis/statistics.json"));
  return kDocument;
}

double number(const json& value) {
  if (value.is_null()) return std::numeric_limits<double>::quiet_NaN();
  if (value.is_string()) return (value == "inf" ? 1 : -1) * std::numeric_limits<double>::infinity();
  return value.get<double>();
}

std::vector<double> numbers(const json& list) {
  std::vector<double> values;
  for (const json& each : list) values.push_back(number(each));
  return values;
}

/// Equal to 1e-6 of the larger of 1 and the value; NaN only where NaN is expected.
void expect_close(double actual, const json& wanted, const std::string& what) {
  const double value = number(wanted);
  if (std::isnan(value) || std::isinf(value)) {
    EXPECT_TRUE(std::isnan(value) ? std::isnan(actual) : actual == value) << what << " is " << actual;
  } else {
    EXPECT_NEAR(actual, value, 1e-6 * std::max(1.0, std::abs(value))) << what;
  }
}

/// p values also to six digits, however small.
void expect_probability(double actual, const json& wanted, const std::string& what) {
  expect_close(actual, wanted, what);
  const double value = number(wanted);
  if (value > 1e-12) {
    EXPECT_NEAR(actual / value, 1, 1e-5) << what << ": " << actual << " for " << value;
  }
}

TEST(Statistics, SamplesAndShapiroWilk) {
  for (const json& entry : expected()["single"]) {
    const std::string name = entry["name"];
    const std::vector<double> values = numbers(entry["values"]);
    expect_close(mean(values), entry["mean"], name);
    expect_close(variance(values), entry["variance"], name);
    expect_close(median(values), entry["median"], name);
    expect_close(harmonic_mean(values), entry["harmonic"], name);
    const ShapiroWilk test = shapiro_wilk_test(values);
    expect_close(test.w, entry["w"], name + " W");
    expect_close(test.p, entry["p"], name + " p");
  }
}

TEST(Statistics, WelchAndEquivalence) {
  for (const json& entry : expected()["pairs"]) {
    const std::string name = entry["name"];
    const Welch test = welch_test(numbers(entry["a"]), numbers(entry["b"]));
    expect_close(test.t, entry["welch"]["t"], name + " t");
    expect_probability(test.p, entry["welch"]["p"], name + " p");
    if (std::isnan(number(entry["welch"]["low"]))) continue;  // no spread: an interval of one point
    expect_close(test.degrees_of_freedom, entry["welch"]["df"], name + " df");
    expect_close(test.low(0.95), entry["welch"]["low"], name + " low");
    expect_close(test.high(0.95), entry["welch"]["high"], name + " high");
    expect_probability(equivalence_p(test, number(entry["margin"])), entry["tost"], name + " TOST");
  }
}

TEST(Statistics, WithoutSpreadEquivalenceIsDecidedByTheDifference) {
  const std::vector<double> a(4, 2.0), b(5, 2.5);
  EXPECT_EQ(equivalence_p(welch_test(a, b), 0.6), 0);
  EXPECT_EQ(equivalence_p(welch_test(a, b), 0.4), 1);
  EXPECT_EQ(welch_test(a, b).low(0.95), 0.5);
}

TEST(Statistics, MannWhitney) {
  for (const json& entry : expected()["pairs"]) {
    const std::string name = entry["name"];
    const MannWhitney test = mann_whitney_test(numbers(entry["a"]), numbers(entry["b"]));
    EXPECT_EQ(test.exact, entry["mann_whitney"]["exact"].get<bool>()) << name;
    expect_close(test.u, entry["mann_whitney"]["u"], name + " U");
    if (name == "all_equal") {
      EXPECT_TRUE(std::isnan(test.p)) << "one value for all tells nothing";
    } else {
      expect_probability(test.p, entry["mann_whitney"]["p"], name + " p");
    }
  }
}

TEST(Statistics, EffectSizesWithIntervals) {
  for (const json& entry : expected()["pairs"]) {
    const std::string name = entry["name"];
    const EffectSize effect = effect_size(numbers(entry["a"]), numbers(entry["b"]));
    expect_close(effect.d, entry["effect"]["d"], name + " d");
    expect_close(effect.g, entry["effect"]["g"], name + " g");
    if (name == "huge_effect") {
      EXPECT_LT(effect.low, effect.g);
      EXPECT_GT(effect.high, effect.g);
    } else {
      expect_close(effect.low, entry["effect"]["low"], name + " low");
      expect_close(effect.high, entry["effect"]["high"], name + " high");
    }
  }
}

TEST(Statistics, Power) {
  for (const json& entry : expected()["power"]) {
    const double d = entry["d"], alpha = entry["alpha"];
    expect_close(power_of_t_test(d, entry["n"], entry["m"], alpha), entry["power"], entry.dump());
    EXPECT_EQ(launches_needed(d, alpha, 0.8), entry["needed"].get<std::size_t>()) << entry.dump();
  }
}

TEST(Statistics, LaunchesForEquivalenceGrowAsTheRoomShrinks) {
  const std::size_t roomy = launches_for_equivalence(0, 2, 1, 0.05, 0.8),
                    tight = launches_for_equivalence(1.5, 2, 1, 0.05, 0.8);
  EXPECT_GT(roomy, 2U);
  EXPECT_GT(tight, 4 * roomy);
  EXPECT_EQ(launches_for_equivalence(2.5, 2, 1, 0.05, 0.8), 0U) << "outside the margin nothing helps";
}

TEST(Statistics, Multiplicity) {
  for (const json& entry : expected()["multiplicity"]) {
    const std::vector<double> p = numbers(entry["p"]);
    const std::vector<double> by_holm = holm(p), by_bh = benjamini_hochberg(p);
    for (std::size_t i = 0; i < p.size(); ++i) {
      expect_close(by_holm[i], entry["holm"][i], "Holm");
      expect_close(by_bh[i], entry["bh"][i], "Benjamini-Hochberg");
    }
  }
  const std::vector<double> with_nan = holm(std::vector<double>{0.01, std::nan(""), 0.02});
  EXPECT_NEAR(with_nan[0], 0.02, 1e-15) << "NaN is no test and must not count";
  EXPECT_TRUE(std::isnan(with_nan[1]));
}

TEST(Statistics, CorrelationAndLine) {
  for (const json& entry : expected()["correlations"]) {
    const std::string name = entry["name"];
    const std::vector<double> x = numbers(entry["x"]), y = numbers(entry["y"]);
    expect_close(spearman(x, y).coefficient, entry["rho"], name + " rho");
    expect_probability(spearman(x, y).p, entry["p"], name + " p");
    const Line line = fit_line(x, y);
    expect_close(line.slope, entry["slope"], name + " slope");
    expect_close(line.intercept, entry["intercept"], name + " intercept");
    expect_close(line.r_squared, entry["r_squared"], name + " R²");
    expect_close(line.largest_residual, entry["residual"], name + " residual");
  }
  EXPECT_TRUE(std::isnan(spearman(std::vector<double>{1, 1, 1}, std::vector<double>{1, 2, 3}).coefficient));
}

TEST(Statistics, PermutationWithinBlocks) {
  for (const json& entry : expected()["permutation"]) {
    std::vector<Block> blocks;
    for (const json& block : entry["blocks"])
      blocks.push_back({numbers(block["values"]), block["second"].get<std::vector<bool>>()});
    const PermutationResult result = permutation_test(blocks, 999, 1);
    EXPECT_TRUE(result.exact);
    EXPECT_EQ(result.arrangements, entry["arrangements"].get<double>());
    expect_close(result.p, entry["p"], "permutation p");
  }
}

TEST(Statistics, RandomPermutationsComeNearTheExactAnswer) {
  Block block;
  for (int i = 0; i < 11; ++i) {
    block.values.push_back(i + (i % 2 == 0 ? 0.0 : 3.0));
    block.second.push_back(i % 2 != 0);
  }
  const PermutationResult exact = permutation_test(std::vector<Block>{block}, 0, 1);
  ASSERT_TRUE(exact.exact);
  // Three such blocks have 462³ arrangements: more than are enumerated.
  const std::vector<Block> three(3, block);
  const PermutationResult one = permutation_test(three, 20000, 1), other = permutation_test(three, 20000, 2);
  EXPECT_FALSE(one.exact);
  EXPECT_LT(one.p, exact.p) << "three blocks say more than one";
  EXPECT_NEAR(one.p, other.p, 0.01);
  EXPECT_EQ(one.p, permutation_test(three, 20000, 1).p) << "the same seed, the same answer";
}

TEST(Statistics, PermutationOfConstantDataIsNoTest) {
  EXPECT_TRUE(std::isnan(permutation_test(std::vector<Block>{{{2, 2, 2}, {true, false, false}}}, 99, 1).p));
  EXPECT_TRUE(std::isnan(permutation_test(std::vector<Block>{{{1, 2}, {true, true}}}, 99, 1).p));
}

TEST(Statistics, TrendAcrossRuns) {
  const std::vector<analysis::Run> rising(3, analysis::Run{1, 2, 3, 5, 4, 6, 7, 8}),
      constant(3, analysis::Run(8, 1.0));
  EXPECT_LT(trend_test(rising, 4999, 1).p, 0.001);
  EXPECT_TRUE(std::isnan(trend_test(constant, 99, 1).p));
  const std::vector<analysis::Run> opposed = {{1, 2, 3, 4, 5, 6}, {6, 5, 4, 3, 2, 1}};
  EXPECT_GT(trend_test(opposed, 999, 1).p, 0.9) << "trends that cancel are no common trend";
}

TEST(Statistics, BootstrapIntervals) {
  for (const json& entry : expected()["bootstrap"]) {
    const std::string name = entry["name"];
    const std::vector<double> replicates = numbers(entry["replicates"]);
    std::vector<std::vector<double>> jackknife;
    for (const json& sample : entry["jackknife"]) jackknife.push_back(numbers(sample));
    const Interval percentile = percentile_interval(replicates, 0.95);
    expect_close(percentile.low, entry["percentile"][0], name);
    expect_close(percentile.high, entry["percentile"][1], name);
    const Interval bca = bca_interval(replicates, number(entry["observed"]), jackknife, 0.95);
    expect_close(bca.low, entry["bca"][0], name + " BCa low");
    expect_close(bca.high, entry["bca"][1], name + " BCa high");
  }
}

TEST(Statistics, BootstrapDrawsWholeLaunches) {
  const std::vector<double> a = {1, 2, 3, 4}, b = {11, 12, 13, 14};
  const Bootstrap bootstrap = bootstrap_difference(a, b, 2000, 7);
  ASSERT_EQ(bootstrap.replicates.size(), 2000U);
  const Interval interval = percentile_interval(bootstrap.replicates, 0.95);
  EXPECT_GT(interval.low, 8);
  EXPECT_LT(interval.high, 12);
  EXPECT_NEAR(mean(bootstrap.replicates), 10, 0.1);
  EXPECT_TRUE(bootstrap_difference(std::vector<double>{1}, b, 10, 7).replicates.empty());
}

TEST(Statistics, OutlyingScores) {
  const std::vector<double> scores = modified_z_scores(std::vector<double>{10, 10.1, 9.9, 10.05, 15}, 0);
  EXPECT_GT(scores[4], kOutlyingScore);
  EXPECT_LT(std::abs(scores[0]), 1);
  EXPECT_TRUE(modified_z_scores(std::vector<double>{1, 2, 3, 100}, 0).empty()) << "four are too few";
  const std::vector<double> flat = modified_z_scores(std::vector<double>{5, 5, 5, 5, 5, 6}, 0);
  EXPECT_GT(flat[5], kOutlyingScore) << "MAD 0 falls back to the mean absolute deviation";
  EXPECT_LT(modified_z_scores(std::vector<double>{5, 5, 5, 5, 5, 6}, 1.0)[5], kOutlyingScore)
      << "one step of the instrument is no outlier";
}

}  // namespace
}  // namespace sparkmpi::analysis
