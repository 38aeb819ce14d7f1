#include "cli/ladder_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "cli/wrapped_text.hpp"
#include "results/quantity.hpp"
#include "results/statistics.hpp"

namespace sparkmpi::cli {
namespace {

using results::format_quantity;
using results::KernelRecord;

constexpr std::size_t kMostRankLines = 16;
constexpr std::size_t kMostRows = 9;

const std::vector<double>& series_of(const KernelRecord& record, std::string_view metric) {
  static const std::vector<double> none;
  const auto found = std::ranges::find(record.series, metric, &results::Series::metric);
  return found == record.series.end() ? none : found->values;
}

double at(const std::vector<double>& values, std::size_t index) {
  return index < values.size() ? values[index] : std::numeric_limits<double>::quiet_NaN();
}

std::string text_fact(const KernelRecord& record, std::string_view name) {
  const auto found = record.facts.find(name);
  return found == record.facts.end() ? "?" : to_string(found->second);
}

/// In whole MiB: granted and refused are often the same in three digits.
std::string mebibytes(double bytes) {
  return fmt::format("{:.0f} MiB", bytes / (1U << 20U));
}

void print_answer(std::FILE* out, std::size_t rank, const KernelRecord& record) {
  const double refused = at(series_of(record, "refused_bytes"), 0);
  const std::string next = std::isnan(refused) ? "" : fmt::format(", {} refused", mebibytes(refused));
  print_wrapped(out,
                fmt::format("rank {}: {} granted{} ({}: {})", rank,
                            mebibytes(at(series_of(record, "granted_bytes"), 0)), next,
                            text_fact(record, "refused_by"), text_fact(record, "refusal")),
                "  ");
}

/// The steps that raised what is held, thinned out evenly with the first and the last kept.
std::vector<std::size_t> rows_of(const std::vector<double>& held) {
  std::vector<std::size_t> granted;
  double most = -1;
  for (std::size_t step = 0; step < held.size(); ++step) {
    if (held[step] <= most) continue;
    most = held[step];
    granted.push_back(step);
  }
  if (granted.size() <= kMostRows) return granted;
  std::vector<std::size_t> rows;
  for (std::size_t row = 0; row < kMostRows; ++row)
    rows.push_back(granted[row * (granted.size() - 1) / (kMostRows - 1)]);
  return rows;
}

double median_read(const KernelRecord& record, double held) {
  const std::vector<double>& rates = series_of(record, "read_bytes_per_s");
  const std::vector<double>& beside = series_of(record, "read_beside_bytes");
  std::vector<double> here;
  for (std::size_t sample = 0; sample < std::min(rates.size(), beside.size()); ++sample)
    if (beside[sample] == held) here.push_back(rates[sample]);
  return results::quantile(here, 0.5);
}

void print_steps(std::FILE* out, const KernelRecord& record) {
  const std::vector<double>& held = series_of(record, "held_bytes");
  const std::vector<double>& grown = series_of(record, "grown_bytes");
  fmt::print(out, "  {:<10} {:>11} {:>11} {:>11} {:>11} {:>11}\n", "held (r0)", "read", "grant+touch",
             "MemAvail", "cgroup", "cuda free");
  for (const std::size_t step : rows_of(held)) {
    const double seconds =
        at(series_of(record, "allocate_time_s"), step) + at(series_of(record, "touch_time_s"), step);
    fmt::print(out, "  {:<10} {:>11} {:>11} {:>11} {:>11} {:>11}\n", format_quantity(held[step], "B"),
               format_quantity(median_read(record, held[step]), "B/s"),
               format_quantity(at(grown, step) / seconds, "B/s"),
               format_quantity(at(series_of(record, "mem_available_bytes"), step), "B"),
               format_quantity(at(series_of(record, "cgroup_current_bytes"), step), "B"),
               format_quantity(at(series_of(record, "cuda_free_bytes"), step), "B"));
  }
}

}  // namespace

void print_ladder(std::FILE* out, const results::StoredKernel& kernel) {
  if (series_of(kernel.ranks.front(), "granted_bytes").empty()) return;
  for (std::size_t rank = 0; rank < std::min(kernel.ranks.size(), kMostRankLines); ++rank)
    print_answer(out, rank, kernel.ranks[rank]);
  print_steps(out, kernel.ranks.front());
}

}  // namespace sparkmpi::cli
