#include "cli/summary_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "cli/charge_text.hpp"
#include "cli/ladder_text.hpp"
#include "cli/memory_text.hpp"
#include "cli/overview_text.hpp"
#include "cli/wrapped_text.hpp"
#include "ledger/what_is_left.hpp"
#include "results/quantity.hpp"
#include "results/summary.hpp"

namespace sparkmpi::cli {
namespace {

using results::format_quantity;
using results::LedgerSummary;
using results::MetricSummary;
using results::Spread;

constexpr std::size_t kMostRankLines = 16;

std::string text_of(const Attributes& facts, std::string_view name, std::string_view otherwise = "?") {
  const auto found = facts.find(name);
  return found == facts.end() ? std::string(otherwise) : to_string(found->second);
}

/// Values that ranks share, in order of first appearance: "native" or "native, podman".
std::string distinct(const std::vector<results::RankInfo>& ranks, std::string_view fact) {
  std::vector<std::string> seen;
  for (const results::RankInfo& rank : ranks) {
    const std::string text = text_of(rank.facts, fact);
    if (std::ranges::find(seen, text) == seen.end()) seen.push_back(text);
  }
  return fmt::format("{}", fmt::join(seen, ", "));
}

/// "1 node", "2 nodes".
std::string counted(const std::string& number, std::string_view what) {
  return fmt::format("{} {}{}", number, what, number == "1" ? "" : "s");
}

void print_header(std::FILE* out, const results::ResultFile& file) {
  const Attributes& run = file.run.facts;
  print_wrapped(out, text_of(run, "command_line"), "");
  print_wrapped(out,
                fmt::format("sparkmpi {}, {}, {} on {}, environment {}", text_of(run, "sparkmpi_version"),
                            text_of(run, "start_time"), counted(text_of(run, "ranks"), "rank"),
                            counted(text_of(run, "nodes"), "node"), distinct(file.ranks, "environment")),
                "");
  fmt::print(out, "\n{:>4}  {:<20} {:>4}  {:<8} {:<12} {}\n", "rank", "host", "node", "device", "cores",
             "device name");
  for (std::size_t rank = 0; rank < std::min(file.ranks.size(), kMostRankLines); ++rank) {
    const Attributes& facts = file.ranks[rank].facts;
    fmt::print(out, "{:>4}  {:<20.20} {:>4}  {:<8} {:<12.12} {:.26}\n", rank, text_of(facts, "host"),
               text_of(facts, "node"), text_of(facts, "device"), text_of(facts, "cpus"),
               text_of(facts, "device_name"));
  }
  if (file.ranks.size() > kMostRankLines)
    fmt::print(out, "      and {} more\n", file.ranks.size() - kMostRankLines);
}

/// Facts of the kernel that change what its numbers mean.
void print_facts(std::FILE* out, const results::StoredKernel& kernel) {
  constexpr std::array kShown = {"weights_source", "simd",    "threads",   "stores",
                                 "memory",         "library", "algorithm", "throttled_by"};
  std::string text;
  for (const char* const name : kShown) {
    const auto found = kernel.ranks.front().facts.find(name);
    if (found != kernel.ranks.front().facts.end())
      text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", name, to_string(found->second));
  }
  if (!text.empty()) print_wrapped(out, text, "  ");
}

void print_spread(std::FILE* out, std::string_view name, const Spread& spread, std::string_view unit,
                  const std::string& last) {
  fmt::print(out, "  {:<27} {:>10} {:>10} {:>10}  {}\n", name, format_quantity(spread.minimum, unit),
             format_quantity(spread.median, unit), format_quantity(spread.maximum, unit), last);
}

std::string range_of_medians(const MetricSummary& metric) {
  std::vector<double> medians;
  for (const Spread& rank : metric.ranks) medians.push_back(rank.median);
  const Spread spread = results::spread_of(medians);
  return fmt::format("{} .. {}", format_quantity(spread.minimum, metric.metric.unit),
                     format_quantity(spread.maximum, metric.metric.unit));
}

void print_metrics(std::FILE* out, const results::StoredKernel& kernel, const SummaryOptions& options) {
  fmt::print(out, "  {:<27} {:>10} {:>10} {:>10}  {}\n", "metric", "min", "median", "max",
             kernel.ranks.size() > 1 ? "ranks' medians" : "");
  for (const MetricSummary& metric : results::summarise_metrics(kernel)) {
    const bool compared = metric.metric.better != results::Better::neither || metric.axis == "setup";
    if (!compared && !options.all) continue;
    print_spread(out, metric.metric.name, metric.pooled, metric.metric.unit,
                 metric.ranks.size() > 1 ? range_of_medians(metric) : "");
    if (!options.per_rank) continue;
    for (std::size_t rank = 0; rank < metric.ranks.size(); ++rank)
      print_spread(out, fmt::format("  rank {}", rank), metric.ranks[rank], metric.metric.unit,
                   fmt::format("{} samples", metric.ranks[rank].count));
  }
}

void print_ledgers(std::FILE* out, const results::StoredKernel& kernel, const SummaryOptions& options) {
  constexpr std::array kShown = {
      "meminfo.MemFree",  "meminfo.MemAvailable", "meminfo.Cached",   "cgroup.current",   "cgroup.stat.anon",
      "cgroup.stat.file", "status.VmRSS",         "smaps_rollup.Pss", "nvml.device_used", "cuda.used"};
  fmt::print(out, "  {:<27} {:>10} {:>10} {:>10}\n", "ledger (rank 0)", "before", "peak", "after");
  for (const LedgerSummary& row : results::summarise_ledgers(kernel, 0)) {
    if (!options.all && std::ranges::find(kShown, row.name) == kShown.end()) continue;
    const double peak = ledger::counts_what_is_left(row.name) ? row.lowest : row.highest;
    fmt::print(out, "  {:<27} {:>10} {:>10} {:>10}\n", row.name, format_quantity(row.before, row.unit),
               format_quantity(peak, row.unit), format_quantity(row.after, row.unit));
  }
}

void print_outcome(std::FILE* out, const results::StoredKernel& kernel) {
  for (std::size_t rank = 0; rank < kernel.ranks.size(); ++rank) {
    const results::Outcome& outcome = kernel.ranks[rank].outcome;
    if (outcome.complete) continue;
    print_wrapped(out,
                  fmt::format("INCOMPLETE on rank {}: {}{}{}", rank, outcome.stop_reason,
                              outcome.error.empty() ? "" : ": ", outcome.error),
                  "  ");
  }
}

}  // namespace

std::string parameters_text(const results::Point& point) {
  std::string text;
  for (const auto& [name, value] : point.parameters)
    text += fmt::format("{}{}={}", text.empty() ? "" : " ", name, to_string(value));
  return text;
}

void print_summary(std::FILE* out, const results::ResultFile& file, const SummaryOptions& options) {
  print_header(out, file);
  for (const results::StoredKernel& kernel : file.kernels) {
    fmt::print(out, "\n{:04} {}\n", kernel.point.index, kernel.point.kernel);
    print_wrapped(out, parameters_text(kernel.point), "  ");
    print_facts(out, kernel);
    print_cache_state(out, kernel);
    print_outcome(out, kernel);
    print_ladder(out, kernel);
    print_charge(out, kernel);
    print_metrics(out, kernel, options);
    for (std::size_t rank = 0; rank < (options.per_rank ? kernel.ranks.size() : 1); ++rank)
      print_kv_budgets(out, kernel, rank);
    print_ledgers(out, kernel, options);
    print_balances(out, file, kernel, options.all);
  }
  if (file.kernels.empty()) fmt::print(out, "\nNo kernel had finished.\n");
  print_overview(out, file);
}

}  // namespace sparkmpi::cli
