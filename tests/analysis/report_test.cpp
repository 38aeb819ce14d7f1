#include "analysis/report/report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "analysis/report/sections.hpp"
#include "base/error.hpp"
#include "tests/analysis/synthetic.hpp"

namespace sparkmpi::analysis {
namespace {

using testing::Contains;
using testing::Each;
using testing::HasSubstr;
using testing::Not;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
const std::string kHostile = "</script><script>alert(1)</script>|[x](y) `z`\n# no heading";

const Metric kRate = {"decode_tokens_per_s", "1/s", "tokens", results::Better::higher,
                      results::Origin::derived};

/// One launch with a value for each rank; NaN: the rank has none.
struct Given {
  std::string environment = "native", kernel = "inference";
  Factors parameters;
  std::vector<std::vector<double>> ranks;
};

Table table_of(const std::vector<Given>& launches, const std::string& host = "a") {
  Table table(true);
  std::size_t number = 0;
  for (const Given& given : launches) {
    Launch launch;
    launch.environment = given.environment;
    launch.ranks = static_cast<int>(given.ranks.size());
    launch.file = fmt::format("absent-{}.h5", number);
    launch.trial = fmt::format("{}", number++);
    const std::uint32_t at = table.add(launch);
    Point point;
    point.launch = at;
    point.kernel = given.kernel;
    point.model = "M";
    point.parameters = given.parameters;
    const std::uint32_t of_point = table.add(point);
    for (std::size_t r = 0; r < given.ranks.size(); ++r) {
      const std::uint32_t rank = table.add(
          Rank{at, static_cast<std::int32_t>(r), static_cast<std::int32_t>(r / 2), host, "cpu", "CPU", 0});
      table.add(of_point, rank, table.add(kRate, given.kernel), given.ranks[r]);
    }
  }
  table.finish();
  return table;
}

ReportData report_of(Table table, ReportOptions options = {}) {
  return report_data(Loaded{std::move(table), {}, 1}, options);
}

std::vector<std::string> sentences_of(const ReportData& overview) {
  std::vector<std::string> sentences;
  for (const ReportData& answer : overview["answers"]) sentences.push_back(answer["sentence"]);
  return sentences;
}

TEST(Report, SectionsStandOnlyWhereTheirDataExist) {
  const ReportData data = report_of(make_study({}));
  EXPECT_TRUE(data.contains("comparisons"));
  EXPECT_TRUE(data.contains("audit"));
  EXPECT_TRUE(data.contains("provenance"));
  for (const char* absent : {"scaling", "timelines", "charge", "balance", "kv"})
    EXPECT_FALSE(data.contains(absent)) << absent;
}

TEST(Report, AnEmptyTableIsAReportOfNothing) {
  Table table(true);
  table.finish();
  const ReportData data = report_of(std::move(table));
  EXPECT_TRUE(data["overview"]["answers"].empty());
  EXPECT_FALSE(data.contains("comparisons"));
  EXPECT_FALSE(data.contains("distributions"));
  EXPECT_THAT(report_html(data), HasSubstr("</html>"));
  EXPECT_THAT(report_markdown(data), HasSubstr("0 launches"));
}

TEST(Report, GroupsHoldEachLaunchesValue) {
  const ReportData data = report_of(table_of({{"native", "inference", {}, {{10, 10}}},
                                              {"native", "inference", {}, {{12, 12}}},
                                              {"docker", "inference", {}, {{20, 20}}},
                                              {"docker", "inference", {}, {{22, 22}}}}));
  const ReportData& by = data["comparisons"][0];
  EXPECT_EQ(by["factor"], "environment");
  EXPECT_EQ(by["reference"], "native");
  const ReportData& groups = by["rows"][0]["groups"];
  ASSERT_EQ(groups.size(), 2U);
  EXPECT_EQ(groups[0]["values"], ReportData({10.0, 12.0}));
  EXPECT_EQ(groups[1]["values"], ReportData({20.0, 22.0}));
  EXPECT_EQ(data["distributions"][0]["factor"], "environment");
}

TEST(Report, WhatIsSaidOfSeveralMetricsIsSaidOnce) {
  SyntheticStudy study;
  study.blocks = 1;  // one launch of each: nothing can be decided, for the same reason everywhere
  const std::vector<std::string> sentences = sentences_of(report_of(make_study(study))["overview"]);
  const auto said = std::ranges::count_if(sentences, [](const std::string& sentence) {
    return sentence.find("one launch says nothing") != std::string::npos;
  });
  EXPECT_EQ(said, 1);
  EXPECT_THAT(sentences,
              Contains(HasSubstr("output_tokens_per_s, ttft_s and peak_memory_bytes of Large-8B; ")));
}

TEST(Condensed, KeepsDifferentAnswersApartAndInOrder) {
  const std::vector<Statement> statements = {{"a", "M", "", "same.", Verdict::undecided},
                                             {"b", "M", "", "other.", Verdict::different},
                                             {"c", "M", "", "same.", Verdict::undecided},
                                             {"d", "M", "", "same.", Verdict::undecided},
                                             {"a", "N", "batch=2", "same.", Verdict::undecided}};
  const std::vector<Answer> answers = condensed(statements);
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(answers[0].sentence, "a, c and d of M; a of N (batch=2): same.");
  EXPECT_EQ(answers[0].statements, 4U);
  EXPECT_EQ(answers[1].sentence, "b of M: other.");
  EXPECT_EQ(answers[1].verdict, Verdict::different);
  EXPECT_TRUE(condensed({}).empty());
}

TEST(Condensed, NamesThreeOfManyMetrics) {
  std::vector<Statement> statements;
  for (int i = 0; i < 7; ++i)
    statements.push_back({fmt::format("m{}", i), "M", "", "same.", Verdict::undecided});
  EXPECT_EQ(condensed(statements).front().sentence, "m0, m1, m2 and 4 more metrics of M: same.");
  EXPECT_EQ(condensed(std::span(statements).first(5)).front().sentence, "m0, m1, m2, m3 and m4 of M: same.");
}

TEST(Condensed, NamesAFewModelsAndCountsTheOthers) {
  std::vector<Statement> statements;
  for (int i = 0; i < 7; ++i)
    statements.push_back({"a", fmt::format("M{}", i), "", "same.", Verdict::undecided});
  EXPECT_EQ(condensed(statements).front().sentence, "a of M0; a of M1; a of M2; a of M3; and 3 more: same.");
}

TEST(Report, TextOfFilesCanNotRun) {
  Table table = table_of({{kHostile, kHostile, {{"batch", kHostile}}, {{1, 2}, {3, 4}}},
                          {"native", kHostile, {{"batch", "2"}}, {{1, 2}, {3, 4}}}},
                         kHostile);
  ReportOptions options;
  options.title = kHostile;
  const ReportData data = report_of(std::move(table), options);
  const std::string page = report_html(data);
  EXPECT_THAT(page, Not(HasSubstr("<script>alert(1)")));
  const std::string begin = "<script id=\"data\" type=\"application/json\">";
  const std::size_t from = page.find(begin) + begin.size();
  const std::string block = page.substr(from, page.find("</script>", from) - from);
  EXPECT_EQ(ReportData::parse(block)["title"], kHostile) << "and it reaches the page unchanged";
  EXPECT_EQ(block.find('<'), std::string::npos);
  const std::string markdown = report_markdown(data);
  EXPECT_THAT(markdown, Not(HasSubstr("\n# no heading")));
  EXPECT_THAT(markdown, Not(HasSubstr("[x](y)"))) << "no link";
}

TEST(Report, BytesThatAreNoTextStillMakeAPage) {
  const ReportData data = report_of(table_of({{"\xff\xfe", "inference", {}, {{1, 2}}}}));
  EXPECT_THAT(report_html(data), HasSubstr("</html>"));
}

TEST(Report, MetricsOfNothingButNaNAreLeftOut) {
  const ReportData data = report_of(
      table_of({{"native", "inference", {}, {{kNaN, kNaN}}}, {"docker", "inference", {}, {{kNaN}}}}));
  EXPECT_FALSE(data.contains("comparisons"));
  EXPECT_FALSE(data.contains("distributions"));
  EXPECT_FALSE(data.contains("node_ranks"));
  EXPECT_THAT(report_markdown(data), HasSubstr("2 launches"));
}

TEST(Report, NaNBesideNumbersIsNull) {
  EXPECT_TRUE(std::isnan(report::shown(kNaN)));
  const ReportData data = report_of(table_of({{"native", "inference", {}, {{1, kNaN, 3}}}}));
  const ReportData& group = data["comparisons"][0]["rows"][0]["groups"][0];
  EXPECT_EQ(ReportData::parse(group.dump())["low"], nullptr) << "one launch has no interval";
  EXPECT_EQ(data["distributions"][0]["items"][0]["groups"][0]["samples"], 2);
}

TEST(Distributions, ByEachFactorThatTellsSamplesApart) {
  std::vector<Given> launches;
  for (const char* environment : {"native", "docker"}) {
    for (const char* batch : {"1", "4"})
      launches.push_back({environment, "inference", {{"batch", batch}}, {{1, 2, 3}}});
  }
  const ReportData list = report_of(table_of(launches))["distributions"];
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0]["factor"], "environment");
  EXPECT_EQ(list[0]["items"].size(), 2U) << "one for each batch";
  EXPECT_EQ(list[1]["factor"], "batch");
  ASSERT_EQ(list[1]["items"].size(), 1U) << "the factor is no condition";
  const ReportData& groups = list[1]["items"][0]["groups"];
  ASSERT_EQ(groups.size(), 2U);
  EXPECT_EQ(groups[0]["level"], "1");
  EXPECT_EQ(groups[0]["samples"], 6);
  EXPECT_EQ(groups[0]["values"], ReportData({1.0, 1.0, 2.0, 2.0, 3.0, 3.0}));
  EXPECT_DOUBLE_EQ(groups[0]["shares"].back().get<double>(), 1);
}

TEST(Distributions, LongCurvesAreThinnedAndItIsSaid) {
  std::vector<double> samples;
  for (int i = 0; i < 5000; ++i) samples.push_back(i);
  const ReportData list = report_of(table_of({{"native", "inference", {}, {samples}}}))["distributions"];
  const ReportData& group = list[0]["items"][0]["groups"][0];
  EXPECT_LT(group["values"].size(), 500U);
  EXPECT_EQ(group["values"].front(), 0);
  EXPECT_EQ(group["values"].back(), 4999) << "the extremes stay";
  EXPECT_THAT(list[0]["notes"].dump(), HasSubstr("evenly spaced"));
}

TEST(NodeRanks, SayWhatTheirOwnKernelMeans) {
  Table table(true);
  Launch launch;
  launch.ranks = 2;
  const std::uint32_t at = table.add(launch);
  std::uint32_t ranks[] = {table.add(Rank{at, 0, 0, "a", "", "", 0}),
                           table.add(Rank{at, 1, 1, "b", "", "", 0})};
  for (const char* kernel : {"gemm", "stream"}) {
    Point point;
    point.launch = at;
    point.kernel = kernel;
    const std::uint32_t of_point = table.add(point);
    Metric metric = kRate;
    metric.meaning = fmt::format("what {} does", kernel);
    for (const std::uint32_t rank : ranks)
      table.add(of_point, rank, table.add(metric, kernel), std::vector<double>{1.0 + rank});
  }
  table.finish();
  const ReportData items = report_of(std::move(table))["node_ranks"]["items"];
  ASSERT_EQ(items.size(), 2U);
  EXPECT_EQ(items[0]["meaning"], "what gemm does");
  EXPECT_EQ(items[1]["meaning"], "what stream does");
  EXPECT_EQ(items[1]["cells"][1]["value"], 2);
  EXPECT_EQ(items[1]["cells"][1]["node"], 1);
}

/// Tensor parallel at 1, 2, 4 ranks with a tenth that does not scale, and replicas at 1, 2, 4 with 2 % loss.
std::vector<Given> strong_and_weak() {
  std::vector<Given> launches;
  for (int repetition = 0; repetition < 3; ++repetition) {
    for (const int n : {1, 2, 4}) {
      const double noise = 1 + 0.001 * repetition;
      std::vector<std::vector<double>> members(static_cast<std::size_t>(n), {kNaN, kNaN});
      members[0] = {noise * 100 / (0.1 + 0.9 / n), noise * 100 / (0.1 + 0.9 / n)};
      launches.push_back({"native", "inference", {{"tp", fmt::format("{}", n)}}, members});
      if (n == 1) continue;
      const double rate = noise * 100 * 0.98;
      launches.push_back({"native",
                          "inference",
                          {{"tp", "1"}},
                          std::vector<std::vector<double>>(static_cast<std::size_t>(n), {rate, rate})});
    }
  }
  return launches;
}

TEST(ScalingSection, StrongOverTpAndWeakOverReplicasApart) {
  const ReportData section = report_of(table_of(strong_and_weak()))["scaling"];
  ASSERT_EQ(section["kinds"].size(), 2U);
  const ReportData &strong = section["kinds"][0], &weak = section["kinds"][1];
  EXPECT_EQ(strong["scaling"], "strong");
  EXPECT_EQ(strong["over"], "tp");
  ASSERT_EQ(strong["curves"].size(), 1U);
  const ReportData& points = strong["curves"][0]["points"];
  ASSERT_EQ(points.size(), 3U);
  EXPECT_EQ(points[2]["size"], 4);
  EXPECT_NEAR(points[2]["speedup"].get<double>(), 1 / (0.1 + 0.9 / 4), 0.01);
  EXPECT_LT(points[2]["speedup_interval"][0].get<double>(), points[2]["speedup"].get<double>());
  EXPECT_NEAR(strong["curves"][0]["fit"]["share"].get<double>(), 0.1, 0.005);
  EXPECT_THAT(strong["curves"][0]["fit"]["sentence"].get<std::string>(), HasSubstr("Amdahl"));
  EXPECT_EQ(weak["scaling"], "weak");
  EXPECT_EQ(weak["over"], "ranks");
  ASSERT_EQ(weak["curves"].size(), 1U) << "launches that divide the model are no replicas";
  EXPECT_NEAR(weak["curves"][0]["points"][2]["efficiency"].get<double>(), 0.98, 0.005);
  EXPECT_THAT(weak["curves"][0]["fit"]["sentence"].get<std::string>(), HasSubstr("Gustafson"));
  EXPECT_THAT(report_markdown(report_of(table_of(strong_and_weak()))), HasSubstr("### Strong"));
}

TEST(ScalingSection, OneSizeIsNoScaling) {
  const ReportData data =
      report_of(table_of({{"native", "inference", {{"tp", "2"}}, {{1, 1}, {kNaN, kNaN}}},
                          {"native", "inference", {{"tp", "2"}}, {{1, 1}, {kNaN, kNaN}}}}));
  EXPECT_FALSE(data.contains("scaling"));
}

TEST(FileSections, AFileThatIsGoneIsNoReasonToFail) {
  EXPECT_FALSE(report_of(table_of({{"native", "charge", {}, {{1, 2}}}})).contains("charge"));
}

TEST(Report, AnUnknownFactorIsRefusedByName) {
  ReportOptions options;
  options.factors = {"enviroment"};
  try {
    report_of(make_study({}), options);
    FAIL() << "an unknown factor was taken";
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), HasSubstr("environment"));
  }
}

}  // namespace
}  // namespace sparkmpi::analysis
