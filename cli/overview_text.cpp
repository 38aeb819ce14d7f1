#include "cli/overview_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "kernels/registry.hpp"
#include "results/quantity.hpp"
#include "results/summary.hpp"

namespace sparkmpi::cli {
namespace {

using results::format_quantity;
using results::StoredKernel;

const kernels::KernelInfo* known_kernel(const std::string& name) {
  const auto all = kernels::registry();
  const auto found = std::ranges::find(all, name, &kernels::KernelInfo::name);
  return found == all.end() ? nullptr : &*found;
}

/// A size as a person types it: "16 MiB", not 16777216.
std::string value_text(const kernels::KernelInfo* kernel, const std::string& name, const Attribute& value) {
  if (kernel != nullptr && std::holds_alternative<std::int64_t>(value)) {
    const auto option = std::ranges::find(kernel->options, name, &kernels::OptionSpec::name);
    if (option != kernel->options.end() && option->kind == kernels::OptionKind::bytes)
      return format_bytes(static_cast<double>(std::get<std::int64_t>(value)));
  }
  return to_string(value);
}

bool differs(const results::ResultFile& file, const StoredKernel& kernel, const std::string& name,
             const Attribute& value) {
  return std::ranges::any_of(file.kernels, [&](const StoredKernel& other) {
    if (other.point.kernel != kernel.point.kernel) return false;
    const auto found = other.point.parameters.find(name);
    return found == other.point.parameters.end() || to_string(found->second) != to_string(value);
  });
}

std::string what_is_special(const results::ResultFile& file, const StoredKernel& kernel) {
  const kernels::KernelInfo* const info = known_kernel(kernel.point.kernel);
  std::string text;
  for (const auto& [name, value] : kernel.point.parameters) {
    if (differs(file, kernel, name, value))
      text += fmt::format("{}{}={}", text.empty() ? "" : " ", name, value_text(info, name, value));
  }
  return text;
}

std::string headline_text(const StoredKernel& kernel) {
  const kernels::KernelInfo* const info = known_kernel(kernel.point.kernel);
  if (info == nullptr) return "";
  const auto metrics = results::summarise_metrics(kernel);
  const auto found = std::ranges::find_if(
      metrics, [&](const results::MetricSummary& metric) { return metric.metric.name == info->headline; });
  if (found == metrics.end()) return "";
  const std::string& unit = found->metric.unit;
  std::string text =
      fmt::format("{:<21} {:>10}", info->headline, format_quantity(found->pooled.median, unit));
  if (found->ranks.size() < 2) return text;
  // Ranks without samples of their own (of a group that works on one model, all but the first) have no
  // median.
  std::vector<double> medians;
  for (const results::Spread& rank : found->ranks) {
    if (rank.count > 0) medians.push_back(rank.median);
  }
  const auto [low, high] = std::ranges::minmax(medians);
  return text + fmt::format("  {} .. {}", format_quantity(low, unit), format_quantity(high, unit));
}

bool complete(const StoredKernel& kernel) {
  return std::ranges::all_of(kernel.ranks, [](const auto& rank) { return rank.outcome.complete; });
}

}  // namespace

void print_overview(std::FILE* out, const results::ResultFile& file) {
  if (file.kernels.empty()) return;
  fmt::print(out, "\nOverview: median of all samples{}\n",
             file.ranks.size() > 1 ? ", and the range of the ranks' medians" : "");
  for (const StoredKernel& kernel : file.kernels) {
    const std::string what = what_is_special(file, kernel), headline = headline_text(kernel);
    fmt::print(out, "{:04} {} {}{}\n", kernel.point.index, kernel.point.kernel, what,
               complete(kernel) ? "" : "  INCOMPLETE");
    if (!headline.empty()) fmt::print(out, "     {}\n", headline);
  }
}

}  // namespace sparkmpi::cli
