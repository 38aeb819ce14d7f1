#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <fstream>
#include <limits>

#include "base/error.hpp"
#include "results/codec.hpp"
#include "results/file_image.hpp"
#include "results/reader.hpp"
#include "results/summary.hpp"
#include "results/writer.hpp"

namespace sparkmpi::results {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr MetricInfo kMetrics[] = {
    {"read_bytes_per_s", "B/s", Better::higher, Origin::measured, "read bandwidth"},
    {"token_time_s", "s", Better::neither, Origin::measured, "time stamps"},
};

/// A record with everything in it; ranks differ in length and in what they have.
KernelRecord record_of(int rank) {
  KernelRecord record;
  record.outcome = {rank != 1, rank == 1 ? "failed" : "converged", rank == 1 ? "it broke" : ""};
  record.start_s = 1.5;
  record.end_s = 2.5 + rank;
  record.facts = {{"threads", std::int64_t{rank + 1}}, {"simd", std::string("avx2")}};
  if (rank == 0) record.facts["only_here"] = 0.25;
  record.series.push_back({"read_bytes_per_s", "sample", {1e9 + rank, kNaN, 3e9}});
  if (rank == 0) record.series.push_back({"token_time_s", "token", {0.1, 0.2}});
  record.labels.push_back({"what", "sample", {"a", "b", "c"}});
  record.snapshots.push_back({"before",
                              1.0,
                              {{"meminfo.MemFree", "B", ledger::Answer::value, 100.0 + rank},
                               {"nvml.device_used", "B", ledger::Answer::not_supported, kNaN}}});
  record.snapshots.push_back({"after",
                              3.0,
                              {{"meminfo.MemFree", "B", ledger::Answer::value, 90.0},
                               {"nvml.device_used", "B", ledger::Answer::not_supported, kNaN}}});
  record.timeline = {{1.1, 1.2}, {{"meminfo.MemFree", "B", {80, 95}}}};
  return record;
}

class ResultFileTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/sparkmpi-results-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path path() const { return folder_ / "run.h5"; }
  ResultWriter writer(bool force = false) const {
    const std::vector<RankInfo> ranks = {{{{"host", std::string("a")}}}, {{{"host", std::string("b")}}}};
    return {path(), force, {{{"command_line", std::string("sparkmpi x")}}}, ranks};
  }
  static std::vector<KernelRecord> both_ranks() { return {record_of(0), record_of(1)}; }

  std::filesystem::path folder_;
};

void expect_equal(const KernelRecord& actual, const KernelRecord& expected) {
  EXPECT_EQ(actual.outcome.complete, expected.outcome.complete);
  EXPECT_EQ(actual.outcome.stop_reason, expected.outcome.stop_reason);
  EXPECT_EQ(actual.outcome.error, expected.outcome.error);
  EXPECT_EQ(actual.start_s, expected.start_s);
  EXPECT_EQ(actual.end_s, expected.end_s);
  EXPECT_EQ(actual.facts, expected.facts);
  ASSERT_EQ(actual.series.size(), expected.series.size());
  for (std::size_t i = 0; i < expected.series.size(); ++i) {
    EXPECT_EQ(actual.series[i].axis, expected.series[i].axis);
    EXPECT_THAT(actual.series[i].values,
                testing::Pointwise(testing::NanSensitiveDoubleEq(), expected.series[i].values));
  }
  ASSERT_EQ(actual.labels.size(), expected.labels.size());
  EXPECT_EQ(actual.labels[0].values, expected.labels[0].values);
  ASSERT_EQ(actual.snapshots.size(), expected.snapshots.size());
  for (std::size_t i = 0; i < expected.snapshots.size(); ++i) {
    EXPECT_EQ(actual.snapshots[i].moment, expected.snapshots[i].moment);
    ASSERT_EQ(actual.snapshots[i].readings.size(), expected.snapshots[i].readings.size());
    EXPECT_EQ(actual.snapshots[i].readings[0].value, expected.snapshots[i].readings[0].value);
    EXPECT_EQ(actual.snapshots[i].readings[1].answer, ledger::Answer::not_supported);
    EXPECT_TRUE(std::isnan(actual.snapshots[i].readings[1].value));
  }
  EXPECT_EQ(actual.timeline.time_s, expected.timeline.time_s);
  EXPECT_EQ(actual.timeline.columns.at(0).values, expected.timeline.columns.at(0).values);
}

TEST_F(ResultFileTest, WhatIsWrittenIsReadBack) {
  ResultWriter out = writer();
  out.commit({0, "stream", {{"footprint", std::int64_t{4096}}, {"note", std::string("x")}}}, kMetrics,
             both_ranks());
  out.commit({1, "stream", {}}, kMetrics, both_ranks());
  const ResultFile file = read_result(path());
  EXPECT_EQ(to_string(file.run.facts.at("command_line")), "sparkmpi x");
  ASSERT_EQ(file.ranks.size(), 2U);
  EXPECT_EQ(to_string(file.ranks[1].facts.at("host")), "b");
  ASSERT_EQ(file.kernels.size(), 2U);
  EXPECT_EQ(std::get<std::int64_t>(file.kernels[0].point.parameters.at("footprint")), 4096);
  for (int rank = 0; rank < 2; ++rank)
    expect_equal(file.kernels[0].ranks[static_cast<std::size_t>(rank)], record_of(rank));
}

TEST_F(ResultFileTest, TheGatherKeepsEverythingToo) {
  expect_equal(decode_record(encode(record_of(0))), record_of(0));
  std::vector<std::uint8_t> cut = encode(record_of(0));
  cut.resize(cut.size() / 2);
  EXPECT_THROW(decode_record(cut), Error);
}

TEST_F(ResultFileTest, SummariesComeFromTheSamples) {
  writer().commit({0, "stream", {}}, kMetrics, both_ranks());
  const ResultFile file = read_result(path());
  const auto metrics = summarise_metrics(file.kernels.at(0));
  ASSERT_EQ(metrics.size(), 2U);
  EXPECT_EQ(metrics[0].pooled.count, 4U);
  EXPECT_EQ(metrics[0].ranks[1].minimum, 1e9 + 1);
  const auto ledgers = summarise_ledgers(file.kernels[0], 0);
  ASSERT_EQ(ledgers.size(), 1U);  // what is not supported has no numbers
  EXPECT_EQ(ledgers[0].before, 100);
  EXPECT_EQ(ledgers[0].lowest, 80);  // from the time line
  EXPECT_EQ(ledgers[0].after, 90);
}

TEST_F(ResultFileTest, AnExistingFileIsOnlyReplacedByForce) {
  std::ofstream(path()) << "precious";
  EXPECT_THROW(writer(), UsageError);
  EXPECT_EQ(std::filesystem::file_size(path()), 8U);
  writer(true);
  EXPECT_TRUE(read_result(path()).kernels.empty());
}

TEST_F(ResultFileTest, ADirectoryThatIsNotThereIsSaidBeforeAnythingIsMeasured) {
  folder_ /= "missing";
  EXPECT_THROW(writer(), Error);
}

TEST_F(ResultFileTest, WhenTheDiskIsFullTheEarlierKernelsStayAndTheLastIsRescued) {
  ResultWriter out = writer();
  out.commit({0, "stream", {}}, kMetrics, both_ranks());
  const std::filesystem::path rescue = folder_ / "elsewhere";
  std::filesystem::create_directory(rescue);
  setenv("TMPDIR", rescue.c_str(), 1);
  // A limit just above the file's size: the next commit does not fit, the rescued kernel alone does.
  signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  const rlimit small = {std::filesystem::file_size(path()) + 100, old.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  std::string message;
  try {
    out.commit({1, "stream", {}}, kMetrics, both_ranks());
  } catch (const Error& error) {
    message = error.what();
  }
  setrlimit(RLIMIT_FSIZE, &old);
  unsetenv("TMPDIR");
  EXPECT_NE(message.find("safe"), std::string::npos) << message;
  EXPECT_EQ(read_result(path()).kernels.size(), 1U);
  EXPECT_FALSE(std::filesystem::exists(partial_path(path())));
  int rescued = 0;
  for (const auto& entry : std::filesystem::directory_iterator(rescue)) {
    ++rescued;
    const ResultFile file = read_result(entry.path());
    ASSERT_EQ(file.kernels.size(), 1U);
    EXPECT_EQ(file.kernels[0].point.index, 1);
  }
  EXPECT_EQ(rescued, 1);
}

TEST_F(ResultFileTest, OtherFilesAreRefusedInOneLine) {
  std::ofstream(path()) << "not HDF5";
  EXPECT_THROW(read_result(path()), Error);
  EXPECT_THROW(read_result(folder_ / "none.h5"), Error);
}

TEST_F(ResultFileTest, SizeGrowsLinearlyWithTheRanks) {
  const auto size_with = [&](std::size_t count) {
    std::vector<KernelRecord> records(count, record_of(0));
    for (KernelRecord& record : records) record.series[0].values.assign(1000, 1e9);
    std::vector<RankInfo> ranks(count, RankInfo{{{"host", std::string("a")}}});
    ResultWriter out(path(), true, {}, ranks);
    out.commit({0, "stream", {}}, kMetrics, records);
    return static_cast<double>(std::filesystem::file_size(path()));
  };
  const double base = size_with(1), at_64 = size_with(64) - base, at_256 = size_with(256) - base;
  EXPECT_LT(at_256, at_64 * 4.5);
}

TEST_F(ResultFileTest, AnUndeclaredMetricIsABugThatIsFound) {
  std::vector<KernelRecord> records = both_ranks();
  records[0].series[0].metric = "unheard_of";
  ResultWriter out = writer();
  EXPECT_THROW(out.commit({0, "stream", {}}, kMetrics, records), std::logic_error);
}

}  // namespace
}  // namespace sparkmpi::results
