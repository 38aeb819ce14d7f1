#include "analysis/load.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "analysis/compare.hpp"
#include "analysis/formats/foreign_json.hpp"
#include "analysis/formats/tidy_csv.hpp"
#include "base/error.hpp"
#include "results/file_image.hpp"
#include "results/hdf5_data.hpp"
#include "results/writer.hpp"

namespace sparkmpi::analysis {
namespace {

namespace fs = std::filesystem;
using results::Better;
using results::Origin;
using testing::Contains;
using testing::HasSubstr;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr results::MetricInfo kMetrics[] = {
    {"decode_tokens_per_s", "1/s", Better::higher, Origin::derived, "rate"},
    {"prefill_tokens_per_s", "1/s", Better::higher, Origin::derived, "rate"},
    {"token_time_s", "s", Better::neither, Origin::measured, "time stamps"},
};

class LoadTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/sparkmpi-analysis-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path write_result(const std::string& name, const std::string& environment, double rate,
                        const std::string& memory_model = "host", const std::string& host = "a") const {
    results::RunInfo run{
        {{"start_time", std::string("2026-01-01T00:00:00Z")}, {"points_planned", std::int64_t{1}}}};
    std::vector<results::RankInfo> ranks;
    for (std::int64_t rank = 0; rank < 2; ++rank)
      ranks.push_back(
          {{{"environment", environment}, {"host", host}, {"node", rank}, {"memory_model", memory_model}}});
    results::ResultWriter writer(folder_ / name, false, run, ranks);
    std::vector<results::KernelRecord> records(2);
    for (results::KernelRecord& record : records) {
      record.outcome.complete = true;
      record.facts["weights_hash"] = std::string("abc");
      record.series = {{"decode_tokens_per_s", "repetition", {rate, rate + 1}},
                       {"prefill_tokens_per_s", "repetition", {kNaN, kNaN}},
                       {"token_time_s", "token", {0.1, 0.2, 0.3}}};
      record.snapshots = {{"before", 0, {}}};
    }
    writer.commit({0, "inference", {{"model", std::string("/m/Tiny-1B")}, {"batch", std::int64_t{4}}}},
                  kMetrics, records);
    return folder_ / name;
  }

  fs::path write_text(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }

  static Loaded load_all(std::vector<fs::path> paths, LoadOptions options = {}) {
    return load(paths, options);
  }
  static LoadOptions with_samples() {
    LoadOptions options;
    options.keep_samples = true;
    return options;
  }
  static Table fixture(const std::string& name) {
    return load_all({std::string(SPARKMPI_FIXTURES) + "/analysis/" + name}, with_samples()).table;
  }

  fs::path folder_;
};

std::vector<double> values_of(const Table& table, std::string_view metric) {
  std::vector<double> values;
  for (const Series& series : table.series()) {
    if (table.metrics()[series.metric].name != metric) continue;
    const auto samples = table.samples(series);
    values.insert(values.end(), samples.begin(), samples.end());
  }
  return values;
}

TEST_F(LoadTest, ResultFilesBecomeLaunches) {
  write_result("native.h5", "native", 10);
  write_result("docker.h5", "docker", 20);
  LoadOptions options;
  options.keep_samples = true;
  const Loaded loaded = load_all({folder_}, options);
  const Table& table = loaded.table;
  ASSERT_EQ(table.launches().size(), 2U);
  EXPECT_EQ(table.launches()[0].environment, "docker") << "directories are read in the order of their names";
  EXPECT_EQ(table.launches()[0].ranks, 2);
  EXPECT_EQ(table.points()[0].model, "Tiny-1B");
  EXPECT_EQ(table.points()[0].parameters.at("batch"), "4");
  EXPECT_EQ(table.points()[0].facts.at("weights_hash"), "abc");
  EXPECT_EQ(values_of(table, "decode_tokens_per_s").size(), 8U);
  EXPECT_TRUE(values_of(table, "token_time_s").empty()) << "nobody compares time stamps";
  EXPECT_THAT(loaded.problems, Contains(HasSubstr("prefill_tokens_per_s: no values but NaN at 2 points")));
}

TEST_F(LoadTest, OnlyWhatIsAskedFor) {
  write_result("a.h5", "native", 10);
  LoadOptions options;
  options.keep_samples = options.all_metrics = true;
  EXPECT_EQ(values_of(load_all({folder_}, options).table, "token_time_s").size(), 6U);
  options.metrics = {"decode_tokens_per_s"};
  const Table table = load_all({folder_}, options).table;
  EXPECT_EQ(table.metrics().size(), 1U);
}

TEST_F(LoadTest, BrokenFilesAreNamedAndTheOthersRead) {
  const fs::path good = write_result("good.h5", "native", 10);
  results::FileImage image = results::read_file(good);
  image.resize(image.size() / 2);
  results::replace_file(folder_ / "cut.h5", image);
  results::replace_file(folder_ / "foreign.h5",
                        results::edit_image({}, [](hid_t file) { results::h5::create_group(file, "x"); }));
  results::replace_file(folder_ / "newer.h5", results::edit_image(results::read_file(good), [](hid_t file) {
                          ASSERT_GE(H5Adelete(file, "format_version"), 0);
                          results::h5::write_attribute(file, "format_version", Attribute(std::int64_t{99}));
                        }));
  write_text("cut.json", R"([{"model_filename": "x", "avg_)");
  write_text("other.json", R"({"some": "thing"})");
  write_text("wrong.json", R"({"engine": {"model": 7}, "performance": {}})");
  write_text("text.csv", "a,b\n1,2\n");
  write_text("cut.csv", "metric,unit,value\nx,s\n");
  const Loaded loaded = load_all({folder_, folder_ / "absent.h5"});
  EXPECT_EQ(loaded.table.launches().size(), 1U);
  EXPECT_EQ(loaded.files, 1U);
  const auto problem = [&](const char* file, const char* text) {
    EXPECT_THAT(loaded.problems, Contains(testing::AllOf(HasSubstr(file), HasSubstr(text))));
  };
  problem("/cut.h5", "damaged");
  problem("/foreign.h5", "no sparkmpi result file");
  problem("/newer.h5", "format version 99");
  problem("/cut.json", "no complete JSON");
  problem("/other.json", "no known format");
  problem("/wrong.json", "looks like trtllm-bench");
  problem("/text.csv", "no column 'metric'");
  problem("/cut.csv", "line 2");
  problem("/absent.h5", "cannot be opened");
  for (const std::string& each : loaded.problems) EXPECT_EQ(each.find('\n'), std::string::npos) << each;
}

TEST_F(LoadTest, NothingReadableIsAnError) {
  EXPECT_THROW(load_all({folder_ / "absent.h5"}), UsageError);
  EXPECT_THROW(load_all({folder_}), UsageError);
}

TEST_F(LoadTest, MixedMemoryModelsAreRefusedUnlessAsked) {
  write_result("a.h5", "native", 10, "integrated");
  write_result("b.h5", "docker", 10, "discrete");
  try {
    load_all({folder_});
    FAIL() << "mixed memory models were taken together";
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), HasSubstr("--mixed"));
    EXPECT_THAT(error.what(), HasSubstr("integrated (1 launches"));
  }
  LoadOptions options;
  options.mixed = true;
  EXPECT_EQ(load_all({folder_}, options).table.launches().size(), 2U);
}

TEST_F(LoadTest, TidyCsvRoundTrips) {
  write_result("a,\"b\".h5", "native", 10, "host", "no;de=\\1,\"<script>alert(1)</script>\"");
  LoadOptions options;
  options.keep_samples = options.all_metrics = true;
  options.set = {{"environment", "x;y=z"}, {"note", "line\nbreak"}};
  const Table table = load_all({folder_}, options).table;
  const fs::path csv = folder_ / "out.csv";
  std::FILE* const out = std::fopen(csv.c_str(), "w");
  ASSERT_NE(out, nullptr);
  write_tidy_csv(table, out);
  ASSERT_EQ(std::fclose(out), 0);
  const Table again = load_all({csv}, with_samples()).table;
  ASSERT_EQ(again.launches().size(), 1U);
  EXPECT_EQ(again.launches()[0].environment, "x;y=z");
  EXPECT_EQ(again.launches()[0].facts, table.launches()[0].facts);
  EXPECT_EQ(again.launches()[0].ranks, 2);
  EXPECT_EQ(again.launches()[0].file, table.launches()[0].file);
  EXPECT_EQ(again.ranks()[1].host, table.ranks()[1].host);
  EXPECT_EQ(again.points()[0].parameters, table.points()[0].parameters);
  EXPECT_EQ(values_of(again, "decode_tokens_per_s"), values_of(table, "decode_tokens_per_s"));
  EXPECT_EQ(values_of(again, "token_time_s"), values_of(table, "token_time_s"));
}

TEST_F(LoadTest, ALaunchMayHaveMoreRanksThanHaveValues) {
  const fs::path csv = write_text("tp.csv",
                                  "trial,ranks,parameters,rank,metric,unit,better,value\n"
                                  "a,4,tp=4,0,decode_tokens_per_s,1/s,higher,100\n");
  EXPECT_EQ(load_all({csv}).table.launches()[0].ranks, 4);
}

TEST_F(LoadTest, LlamaBench) {
  const Table table = fixture("llama_bench.json");
  EXPECT_THAT(values_of(table, "prefill_tokens_per_s"), testing::ElementsAre(5010, 4990));
  EXPECT_THAT(values_of(table, "decode_tokens_per_s"), testing::ElementsAre(129, 127));
  EXPECT_EQ(table.points()[0].model, "Tiny-1B-Q4_0");
  EXPECT_EQ(table.points()[1].parameters.at("n_gen"), "128");
  EXPECT_EQ(table.ranks()[0].device_name, "Test GPU");
  EXPECT_EQ(table.launches()[0].start_time, "2026-01-02T03:04:05Z");
  // JSON Lines hold the same objects, one a line.
  write_text("x.jsonl",
             "{\"model_filename\": \"m.gguf\", \"n_prompt\": 0, \"n_gen\": 8, \"avg_ts\": 7.5}\n\n"
             "{\"model_filename\": \"m.gguf\", \"n_prompt\": 8, \"n_gen\": 8, \"avg_ts\": 9.5}\n");
  const Table lines = load_all({folder_}, with_samples()).table;
  EXPECT_THAT(values_of(lines, "decode_tokens_per_s"), testing::ElementsAre(7.5));
  EXPECT_THAT(values_of(lines, "tokens_per_s"), testing::ElementsAre(9.5));
}

TEST_F(LoadTest, NcclTests) {
  const Table table = fixture("nccl_tests.json");
  ASSERT_EQ(table.points().size(), 2U);
  EXPECT_EQ(table.points()[0].parameters.at("operation"), "all_reduce_perf");
  EXPECT_EQ(table.launches()[0].nodes, 2);
  EXPECT_EQ(table.ranks()[1].host, "node-b");
  EXPECT_THAT(values_of(table, "operation_time_s"),
              testing::ElementsAre(testing::DoubleNear(99e-6, 1e-12), testing::DoubleNear(101e-6, 1e-12),
                                   testing::DoubleNear(90e-6, 1e-12)));
  EXPECT_NEAR(values_of(table, "bus_bandwidth_bytes_per_s")[0], 83.9e9, 1);
  EXPECT_TRUE(table.points()[0].complete);
  EXPECT_FALSE(table.points()[1].complete) << "three elements were wrong";
}

TEST_F(LoadTest, Nvbandwidth) {
  const Table table = fixture("nvbandwidth.json");
  const std::vector<double> bandwidth = values_of(table, "bandwidth_bytes_per_s");
  ASSERT_EQ(bandwidth.size(), 4U);
  EXPECT_TRUE(std::isnan(bandwidth[0])) << "a device to itself is no measurement";
  EXPECT_NEAR(bandwidth[1], 276.1e9, 1);
  EXPECT_NEAR(values_of(table, "memory_latency_s")[0], 772.6e-9, 1e-15);
  EXPECT_FALSE(table.points()[2].complete) << "a waived test is no result";
}

TEST_F(LoadTest, TrtllmBench) {
  const Table table = fixture("trtllm_bench.json");
  EXPECT_THAT(values_of(table, "output_tokens_per_s"), testing::ElementsAre(120.7));
  EXPECT_THAT(values_of(table, "ttft_s"), testing::ElementsAre(0.25));
  EXPECT_EQ(table.points()[0].model, "Tiny-1B");
  EXPECT_EQ(table.points()[0].parameters.at("max_batch_size"), "8");
  EXPECT_EQ(table.ranks()[0].device_memory_bytes, 80 * 1024.0 * 1024 * 1024);
}

TEST_F(LoadTest, PublishedStudy) {
  const Table table = fixture("phase1_runs.json");
  EXPECT_EQ(table.launches().size(), 63U);
  const std::vector<double> peaks = values_of(table, "peak_memory_bytes");
  EXPECT_EQ(peaks.size(), 63U);
  EXPECT_TRUE(values_of(table, "e2e_latency_s").empty()) << "null is no value";
  // The first launch of all was gpt-oss natively.
  const auto first = std::ranges::find(table.launches(), 0U, &Launch::position);
  EXPECT_EQ(first->start_time, "2025-11-08T19:51:54Z");
  EXPECT_TRUE(first->position_known);
}

TEST(Foreign, TimesAndNumbers) {
  EXPECT_EQ(iso_time("20251109_042404"), "2025-11-09T04:24:04Z");
  EXPECT_EQ(iso_time("2026-01-02 03:04:05"), "2026-01-02T03:04:05Z");
  EXPECT_EQ(iso_time("2026-01-02T03:04:05Z"), "2026-01-02T03:04:05Z");
}

TEST(Factors, EscapeTheirSeparators) {
  const Factors factors = {{"a=b", "1;2"}, {"c", "\\"}, {"d", ""}};
  EXPECT_EQ(split_factors(join_factors(factors)), factors);
}

}  // namespace
}  // namespace sparkmpi::analysis
