#include "analysis/audit.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "analysis/load.hpp"
#include "tests/analysis/synthetic.hpp"

namespace sparkmpi::analysis {
namespace {

using testing::HasSubstr;

/// Sizes of the published checkpoints, as the program's catalogue gives them.
std::optional<ModelFacts> sizes(std::string_view model) {
  if (model == "Qwen2.5-72B-Instruct") return ModelFacts{145.4e9, 142.9e9, false};
  if (model == "DeepSeek-R1-Distill-Qwen-7B") return ModelFacts{15.23e9, 14.1e9, false};
  return model_facts_from_name(model);
}

std::vector<Finding> found(const AuditReport& report, std::string_view check) {
  std::vector<Finding> findings;
  std::ranges::copy_if(report.findings, std::back_inserter(findings),
                       [&](const Finding& finding) { return finding.check == check; });
  return findings;
}

AuditReport audit_phase1(AuditOptions options) {
  const std::filesystem::path file = std::string(SPARKMPI_FIXTURES) + "/analysis/phase1_runs.json";
  options.models = sizes;
  return audit(load(std::span(&file, 1), {}).table, options);
}

TEST(AuditOfThePublishedStudy, MemoryAndKvAreOneMetric) {
  const std::vector<Finding> findings = found(audit_phase1({}), "affine");
  ASSERT_EQ(findings.size(), 1U) << "requests and tokens are one by definition and no finding";
  EXPECT_NEAR(findings.front().numbers.at("slope"), -0.9, 0.001);
  EXPECT_NEAR(findings.front().numbers.at("constant") / kGiB, 119.71, 0.01);
  EXPECT_EQ(findings.front().numbers.at("launches"), 63);
}

TEST(AuditOfThePublishedStudy, ThreeModelsRunAtOneSpeed) {
  const std::vector<Finding> findings = found(audit_phase1({}), "identical");
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_THAT(findings.front().what, HasSubstr("3 models"));
  EXPECT_LT(findings.front().numbers.at("largest_relative_difference"), 0.01);
}

TEST(AuditOfThePublishedStudy, SeventyTwoBillionCannotHaveRunOnAGb10) {
  AuditOptions options;
  EXPECT_EQ(found(audit_phase1(options), "capacity").size(), 1U)
      << "without the device: peak memory below the weights";
  options.device = find_device("gb10");
  ASSERT_TRUE(options.device.has_value());
  const std::vector<Finding> findings = found(audit_phase1(options), "capacity");
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_THAT(findings.front().what, HasSubstr("Qwen2.5-72B-Instruct cannot have run"));
  options.concurrency = 8;
  const std::vector<Finding> rates = found(audit_phase1(options), "bandwidth");
  ASSERT_EQ(rates.size(), 1U) << "the 7B is within the bound";
  EXPECT_THAT(rates.front().what, HasSubstr("72B"));
  EXPECT_NEAR(rates.front().numbers.at("bound_tokens_per_s"), 15.3, 0.1);
}

TEST(AuditOfThePublishedStudy, ContainerRunsDriftAndOrderIsConfounded) {
  const AuditReport report = audit_phase1({});
  const std::vector<Finding> drift = found(report, "drift");
  ASSERT_EQ(drift.size(), 1U);
  EXPECT_THAT(drift.front().what,
              HasSubstr("peak_memory_bytes falls over the order of the container launches"));
  EXPECT_LT(drift.front().numbers.at("mean_change") / kGiB, -3);
  const std::vector<Finding> order = found(report, "order");
  ASSERT_EQ(order.size(), 1U);
  EXPECT_EQ(order.front().numbers.at("groups_separated"), 3);
  EXPECT_EQ(found(report, "missing").size(), 2U) << "trial 1 four times; 13 against 10 launches";
}

/// A faultless study with one launch's or point's fault planted by `plant`.
template <class Plant>
AuditReport audit_with(Plant plant) {
  Table table;
  const Metric rate = {"output_tokens_per_s", "1/s", "", results::Better::higher, results::Origin::derived};
  Random random(3);
  for (int i = 0; i < 12; ++i) {
    Launch launch;
    launch.study = "s";
    launch.trial = fmt::format("{}", i);
    launch.environment = i % 2 == 0 ? "native" : "docker";
    launch.start_time = fmt::format("2026-01-01T{:02}:00:00Z", i);
    launch.file = fmt::format("{}.h5", i);
    Point point;
    point.kernel = "inference";
    point.model = "Small-1B";
    plant(i, launch, point);
    point.launch = table.add(launch);
    const std::uint32_t rank = table.add(rank_at(point.launch));
    const std::uint32_t at = table.add(point);
    table.add(at, rank, table.add(rate), std::vector<double>{100 + gaussian(random) * 0.1});
  }
  table.finish();
  return audit(table, AuditOptions{});
}

TEST(Audit, FindsWhatIsPlantedAndNothingElse) {
  const auto only = [](const AuditReport& report, std::string_view check) {
    ASSERT_EQ(report.findings.size(), 1U) << check;
    EXPECT_EQ(report.findings.front().check, check);
    EXPECT_FALSE(report.findings.front().evidence.empty());
    EXPECT_FALSE(report.findings.front().advice.empty());
  };
  EXPECT_TRUE(audit_with([](int, Launch&, Point&) {}).findings.empty());
  only(audit_with([](int i, Launch&, Point& point) {
         point.complete = i != 3;
         point.error = i == 3 ? "out of memory" : "";
       }),
       "missing");
  only(audit_with([](int i, Launch&, Point& point) {
         point.facts["throttle_reasons"] = i == 4 ? "sw_thermal" : "none";
       }),
       "throttled");
  only(audit_with([](int i, Launch&, Point& point) { point.facts["weights_hash"] = i == 4 ? "abc" : "def"; }),
       "weights");
  only(audit_with([](int i, Launch& launch, Point&) { launch.points_planned = i == 2 ? 3 : 1; }), "missing");
  only(audit_with([](int i, Launch& launch, Point&) { launch.environment = i < 6 ? "native" : "docker"; }),
       "order");
}

TEST(Audit, PartsAndFormatsOfAModelHaveHashesOfTheirOwn) {
  const AuditReport report = audit_with([](int i, Launch&, Point& point) {
    const int kind = i / 2 % 3;
    point.parameters["tp"] = kind == 1 ? "2" : "1";
    point.facts["weights_format"] = kind == 2 ? "fp8" : "bf16";
    point.facts["weights_hash"] = fmt::format("hash {}", kind);
  });
  EXPECT_TRUE(found(report, "weights").empty());
}

TEST(Audit, OneHashForTwoModels) {
  const AuditReport report = audit_with([](int i, Launch&, Point& point) {
    point.facts["weights_hash"] = "abc";
    point.model = i % 4 < 2 ? "Small-1B" : "Large-8B";
  });
  EXPECT_EQ(found(report, "weights").size(), 1U);
  EXPECT_EQ(found(report, "identical").size(), 1U) << "and they run at one speed";
}

TEST(Audit, TooFewLaunches) {
  SyntheticStudy study;
  study.blocks = 3;
  const std::vector<Finding> findings = found(audit(make_study(study), {}), "launches");
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_THAT(findings.front().evidence, HasSubstr("3 launches"));
}

TEST(Audit, DriftIsFoundWhenItIsThere) {
  Table table;
  Random random(4);
  const std::uint32_t metric =
      table.add(Metric{"x_s", "s", "", results::Better::lower, results::Origin::measured});
  for (int i = 0; i < 20; ++i) {
    Launch launch;
    launch.environment = i % 2 == 0 ? "native" : "docker";
    launch.start_time = fmt::format("2026-01-01T{:02}:00:00Z", i);
    Point point;
    point.launch = table.add(launch);
    const std::uint32_t at = table.add(point);
    table.add(at, table.add(rank_at(point.launch)), metric,
              std::vector<double>{1 + (i % 2 == 1 ? 0.01 * i : 0.0) + 0.002 * gaussian(random)});
  }
  table.finish();
  const std::vector<Finding> findings = found(audit(table, {}), "drift");
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_THAT(findings.front().what, HasSubstr("docker"));
  EXPECT_THAT(findings.front().sure, HasSubstr("after Holm"));
}

TEST(Audit, UnitsThatLookWrong) {
  Table table;
  const std::uint32_t gib =
      table.add(Metric{"peak_memory_bytes", "B", "", results::Better::lower, results::Origin::measured});
  const std::uint32_t wrong =
      table.add(Metric{"load_s", "B", "", results::Better::lower, results::Origin::measured});
  const std::uint32_t milliseconds =
      table.add(Metric{"tpot_s", "s", "", results::Better::lower, results::Origin::derived});
  Point point;
  point.launch = table.add(Launch{});
  const std::uint32_t at = table.add(point), rank = table.add(rank_at(point.launch));
  table.add(at, rank, gib, std::vector<double>{70.5});
  table.add(at, rank, wrong, std::vector<double>{1e9});
  table.add(at, rank, milliseconds, std::vector<double>{12.5});
  table.finish();
  EXPECT_EQ(found(audit(table, {}), "units").size(), 3U);
}

TEST(Audit, SizesFromNames) {
  ASSERT_TRUE(model_facts_from_name("Qwen2.5-72B-Instruct").has_value());
  EXPECT_DOUBLE_EQ(model_facts_from_name("Qwen2.5-72B-Instruct")->weights_bytes, 36e9);
  EXPECT_DOUBLE_EQ(model_facts_from_name("gpt-oss-120b")->weights_bytes, 60e9);
  EXPECT_TRUE(model_facts_from_name("qwen2-1.5b")->assumed);
  EXPECT_FALSE(model_facts_from_name("gemma").has_value());
  EXPECT_FALSE(model_facts_from_name("Mixtral-8x7B").has_value())
      << "experts share layers: 56 billion would be wrong";
}

}  // namespace
}  // namespace sparkmpi::analysis
