// What loading, comparing and auditing cost: many launches as result files, and one file of many ranks with
// time lines.
//
//   bench_analysis [LAUNCHES=10000] [RANKS=8] [FOLDER=/tmp/sparkmpi-analysis-bench]
//
// Files that exist are used again.

#include <fmt/format.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "analysis/audit.hpp"
#include "analysis/compare.hpp"
#include "analysis/load.hpp"
#include "analysis/statistics/random.hpp"
#include "results/writer.hpp"

namespace {

using namespace sparkmpi;
namespace fs = std::filesystem;
using results::Better;
using results::Origin;

constexpr results::MetricInfo kMetrics[] = {
    {"output_tokens_per_s", "1/s", Better::higher, Origin::derived, ""},
    {"decode_tokens_per_s", "1/s", Better::higher, Origin::derived, ""},
    {"ttft_s", "s", Better::lower, Origin::derived, ""},
    {"tpot_s", "s", Better::lower, Origin::derived, ""},
    {"weights_bytes", "B", Better::neither, Origin::derived, ""},
    {"kv_cache_bytes", "B", Better::neither, Origin::derived, ""},
    {"step_start_s", "s", Better::neither, Origin::measured, ""},
};

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double peak_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

void write_launch(const fs::path& path, std::size_t number, std::size_t ranks, std::size_t ticks) {
  if (fs::exists(path)) return;
  analysis::Random random(number + 1);
  results::RunInfo run{
      {{"start_time", fmt::format("2026-01-{:02}T{:02}:{:02}:{:02}Z", 1 + number / 86400 % 28,
                                  number / 3600 % 24, number / 60 % 60, number % 60)},
       {"block", fmt::format("{}", number / 2)},
       {"study", std::string("bench")}}};
  std::vector<results::RankInfo> infos;
  std::vector<results::KernelRecord> records;
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    infos.push_back({{{"environment", std::string(number % 2 == 0 ? "native" : "docker")},
                      {"host", fmt::format("node{}", rank / 8)},
                      {"node", static_cast<std::int64_t>(rank / 8)},
                      {"device", std::string("host")},
                      {"device_name", std::string("CPU")},
                      {"memory_model", std::string("host")}}});
    results::KernelRecord record;
    record.outcome.complete = true;
    const double speed = 100 + random.uniform();
    for (const results::MetricInfo& metric : kMetrics) {
      results::Series series{std::string(metric.name),
                             metric.name == "step_start_s" ? "step"
                             : metric.unit == "B"          ? "setup"
                                                           : "repetition",
                             {}};
      const std::size_t samples = metric.unit == "B" ? 1 : metric.name == "step_start_s" ? 64 : 5;
      for (std::size_t i = 0; i < samples; ++i) series.values.push_back(speed + random.uniform());
      record.series.push_back(std::move(series));
    }
    record.snapshots = {{"before", 0, {{"meminfo.MemFree", "B", ledger::Answer::value, 1e9}}}};
    if (ticks > 0) {
      record.timeline.time_s.resize(ticks, 0.5);
      for (int column = 0; column < 40; ++column) {
        record.timeline.columns.push_back({fmt::format("ledger.{}", column), "B", {}});
        for (std::size_t tick = 0; tick < ticks; ++tick)
          record.timeline.columns.back().values.push_back(1e9 * random.uniform());
      }
    }
    records.push_back(std::move(record));
  }
  results::ResultWriter(path, true, run, infos)
      .commit({0, "inference", {{"model", std::string("Large-8B")}, {"batch", std::int64_t{8}}}}, kMetrics,
              records);
}

void load_and_judge(const fs::path& path) {
  auto start = std::chrono::steady_clock::now();
  const analysis::Loaded loaded = analysis::load(std::span(&path, 1), {});
  fmt::print("  load    {:7.2f} s, {} series\n", seconds_since(start), loaded.table.series().size());
  start = std::chrono::steady_clock::now();
  const analysis::CompareResult result = analysis::compare(loaded.table, {});
  fmt::print("  compare {:7.2f} s, {} comparisons\n", seconds_since(start), result.comparisons.size());
  start = std::chrono::steady_clock::now();
  const analysis::AuditReport report = analysis::audit(loaded.table, {});
  fmt::print("  audit   {:7.2f} s, {} findings\n", seconds_since(start), report.findings.size());
  fmt::print("  peak memory of the process {:.0f} MiB\n", peak_mib());
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t launches = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 10'000;
  const std::size_t ranks = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 8;
  const fs::path folder = argc > 3 ? argv[3] : "/tmp/sparkmpi-analysis-bench";
  fs::create_directories(folder / "many");
  for (std::size_t i = 0; i < launches; ++i)
    write_launch(folder / "many" / fmt::format("{:06}.h5", i), i, ranks, 0);
  write_launch(folder / "wide.h5", 0, 1024, 200);
  const fs::path wide = folder / "wide.h5";
  const auto start = std::chrono::steady_clock::now();
  const analysis::Loaded loaded = analysis::load(std::span(&wide, 1), {});
  fmt::print("1024 ranks, time lines of 40 ledgers x 200 ticks, {:.0f} MiB: load {:.2f} s\n",
             static_cast<double>(fs::file_size(wide)) / (1 << 20), seconds_since(start));
  fmt::print("{} launches of {} ranks as files\n", launches, ranks);
  load_and_judge(folder / "many");
  return 0;
}
