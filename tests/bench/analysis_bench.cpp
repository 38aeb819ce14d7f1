// What loading, comparing, auditing and reporting cost: many launches as result files, and one file of many
// ranks with time lines.
//
//   bench_analysis [LAUNCHES=10000] [RANKS=8] [FOLDER=/tmp/sparkmpi-analysis-bench]
//
// Writes the files (10,000 of 8 ranks: 450 MB), and uses those again that exist: run it twice, the second
// time gives the peak of memory without the writing. Beside the time on the clock stands the processor time
// (user and system), which other work on the machine moves less.

#include <fmt/format.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "analysis/audit.hpp"
#include "analysis/compare.hpp"
#include "analysis/load.hpp"
#include "analysis/report/report.hpp"
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

/// Time on the clock and of the processor since it was made.
class Stopwatch {
 public:
  std::string text() const {
    return fmt::format("{:6.2f} s, {:6.2f} s of processor",
                       std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(),
                       processor_seconds() - processor_);
  }

 private:
  static double processor_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
      return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
  }
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  double processor_ = processor_seconds();
};

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
  const Stopwatch loading;
  const analysis::Loaded loaded = analysis::load(std::span(&path, 1), {});
  fmt::print("  load    {}, {} series\n", loading.text(), loaded.table.series().size());
  const Stopwatch comparing;
  const analysis::CompareResult result = analysis::compare(loaded.table, {});
  fmt::print("  compare {}, {} comparisons\n", comparing.text(), result.comparisons.size());
  const Stopwatch auditing;
  const analysis::AuditReport audit = analysis::audit(loaded.table, {});
  fmt::print("  audit   {}, {} findings\n", auditing.text(), audit.findings.size());
  fmt::print("  peak memory {:.0f} MiB\n", peak_mib());
}

/// With loading, which keeps the raw samples here.
void report(const fs::path& path) {
  const Stopwatch reporting;
  analysis::LoadOptions options;
  options.keep_samples = true;
  const analysis::Loaded loaded = analysis::load(std::span(&path, 1), options);
  const std::string page = analysis::report_html(analysis::report_data(loaded, {}));
  fmt::print("  report  {}, {:.1f} MiB, with loading; peak memory {:.0f} MiB\n", reporting.text(),
             static_cast<double>(page.size()) / (1 << 20), peak_mib());
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
  const Stopwatch loading;
  const analysis::Loaded loaded = analysis::load(std::span(&wide, 1), {});
  fmt::print("1024 ranks, time lines of 40 ledgers x 200 ticks, {:.0f} MiB: load {}\n",
             static_cast<double>(fs::file_size(wide)) / (1 << 20), loading.text());
  fmt::print("{} launches of {} ranks as files\n", launches, ranks);
  load_and_judge(folder / "many");
  report(folder / "many");
  return 0;
}
