// What only the result files themselves hold: time lines, the charge matrix, byte balances, KV budgets.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "analysis/report/sections.hpp"
#include "base/error.hpp"
#include "results/memory_balance.hpp"
#include "results/reader.hpp"

namespace sparkmpi::analysis::report {
namespace {

using results::KernelRecord;

constexpr std::array<std::string_view, 11> kTimelineLedgers = {
    "meminfo.MemFree", "meminfo.MemAvailable", "meminfo.Cached",   "meminfo.AnonPages",
    "meminfo.Shmem",   "status.VmRSS",         "cgroup.current",   "cgroup.stat.file",
    "cuda.used",       "nvml.device_used",     "nvml.process_used"};
constexpr std::array<std::string_view, 18> kMatrixLedgers = {
    "status.VmRSS",      "smaps_rollup.Pss", "meminfo.MemFree",  "meminfo.MemAvailable",
    "meminfo.AnonPages", "meminfo.Cached",   "meminfo.Shmem",    "meminfo.Unevictable",
    "cgroup.current",    "cgroup.stat.anon", "cgroup.stat.file", "cgroup.stat.shmem",
    "cgroup^1.current",  "cgroup^2.current", "cuda.used",        "nvml.device_used",
    "nvml.process_used", "nvml.bar1_used"};
constexpr std::size_t kExtremes = kShownPoints / 2;

bool is_detailed_metric(std::string_view name) {
  return name.starts_with("charge_") || name.starts_with("kv_budget_") || name.starts_with("pool_") ||
         name.starts_with("budget_") || name == "weights_bytes";
}

std::string fact(const Attributes& facts, std::string_view name) {
  const auto found = facts.find(name);
  return found == facts.end() ? std::string() : sparkmpi::to_string(found->second);
}

const std::vector<double>* series_of(const KernelRecord& record, std::string_view metric) {
  const auto found = std::ranges::find(record.series, metric, &results::Series::metric);
  return found == record.series.end() ? nullptr : &found->values;
}

const std::vector<std::string>* labels_of(const KernelRecord& record, std::string_view name) {
  const auto found = std::ranges::find(record.labels, name, &results::Labels::name);
  return found == record.labels.end() ? nullptr : &found->values;
}

/// The smallest and the largest value of each stretch: peaks survive.
ReportData thinned_column(const std::vector<double>& times, const std::vector<double>& values) {
  ReportData column;
  column["t"] = column["v"] = ReportData::array();
  const auto push = [&](std::size_t i) {
    column["t"].push_back(shown(times[i]));
    column["v"].push_back(values[i]);
  };
  const std::size_t count = std::min(times.size(), values.size());
  if (count <= kShownPoints) {
    for (std::size_t i = 0; i < count; ++i) push(i);
    return column;
  }
  for (std::size_t stretch = 0; stretch < kExtremes; ++stretch) {
    const std::size_t first = stretch * count / kExtremes, end = (stretch + 1) * count / kExtremes;
    const auto [low, high] = std::minmax_element(values.begin() + first, values.begin() + end);
    const auto a = static_cast<std::size_t>(low - values.begin()),
               b = static_cast<std::size_t>(high - values.begin());
    push(std::min(a, b));
    if (a != b) push(std::max(a, b));
  }
  return column;
}

ReportData timeline_of(const ledger::Timeline& timeline) {
  ReportData columns = ReportData::array();
  for (const std::string_view name : kTimelineLedgers) {
    const auto column = std::ranges::find(timeline.columns, name, &ledger::TimelineColumn::name);
    if (column == timeline.columns.end() || column->unit != "B" ||
        std::ranges::none_of(column->values, [](double value) { return std::isfinite(value); }))
      continue;
    ReportData each = thinned_column(timeline.time_s, column->values);
    each["name"] = name;
    columns.push_back(std::move(each));
  }
  return columns;
}

/// Each allocator's charge to each ledger once all of its memory has been touched.
ReportData matrix_of(const KernelRecord& record) {
  const auto* slope = series_of(record, "charge_slope");
  const auto* width = series_of(record, "charge_half_width");
  const auto* point = series_of(record, "charge_point");
  const auto* column = series_of(record, "charge_ledger");
  const auto* allocator = labels_of(record, "point_allocator");
  const auto* step = labels_of(record, "point_step");
  const auto* ledger = labels_of(record, "ledger_name");
  if (!slope || !width || !point || !column || !allocator || !step || !ledger) return {};
  std::map<std::string, std::size_t> last_touch;
  for (std::size_t i = 0; i < std::min(allocator->size(), step->size()); ++i) {
    if ((*step)[i].starts_with("touch") ||
        ((*step)[i] == "allocate" && !last_touch.contains((*allocator)[i])))
      last_touch[(*allocator)[i]] = i;
  }
  ReportData cells = ReportData::array();
  for (std::size_t i = 0; i < std::min({slope->size(), width->size(), point->size(), column->size()}); ++i) {
    const auto row = static_cast<std::size_t>((*point)[i]), at = static_cast<std::size_t>((*column)[i]);
    if (row >= allocator->size() || at >= ledger->size() || last_touch[(*allocator)[row]] != row) continue;
    const std::string& name = (*ledger)[at];
    if (std::ranges::find(kMatrixLedgers, name) == kMatrixLedgers.end()) continue;
    cells.push_back({{"allocator", (*allocator)[row]},
                     {"ledger", name},
                     {"step", (*step)[row]},
                     {"slope", shown((*slope)[i])},
                     {"half_width", shown((*width)[i])}});
  }
  return cells;
}

ReportData budgets_of(const KernelRecord& record) {
  const auto* pool = labels_of(record, "budget_pool");
  const auto* rule = labels_of(record, "budget_rule");
  const auto* status = labels_of(record, "budget_status");
  const auto* bytes = series_of(record, "kv_budget_bytes");
  const auto* tokens = series_of(record, "kv_budget_tokens");
  const auto* injected = series_of(record, "budget_injected_bytes");
  if (!pool || !rule || !status || !bytes) return {};
  ReportData budgets = ReportData::array();
  for (std::size_t i = 0; i < std::min({pool->size(), rule->size(), status->size(), bytes->size()}); ++i) {
    const auto at = [i](const std::vector<double>* values) {
      return values != nullptr && i < values->size() ? (*values)[i] : std::nan("");
    };
    budgets.push_back({{"pool", (*pool)[i]},
                       {"rule", (*rule)[i]},
                       {"status", (*status)[i]},
                       {"bytes", at(bytes)},
                       {"tokens", at(tokens)},
                       {"injected", at(injected)}});
  }
  return budgets;
}

ReportData terms_of(const ledger::ByteBalance& balance) {
  ReportData terms = ReportData::array();
  for (const ledger::BalanceTerm& term : balance.terms)
    terms.push_back({{"name", term.name}, {"fields", term.fields}, {"change", term.change}});
  return terms;
}

class FileSections {
 public:
  explicit FileSections(ReportData& data) : data_(data) {}

  void add(const std::string& path) {
    results::ReadOptions options;
    options.metric = [](const results::StoredMetric& metric, std::string_view) {
      return is_detailed_metric(metric.name);
    };
    options.kernel_fact = [](std::string_view) { return false; };
    const results::ResultFile file = results::read_result(path, options);
    for (const results::StoredKernel& kernel : file.kernels) add(path, file, kernel);
  }

 private:
  void add(const std::string& path, const results::ResultFile& file, const results::StoredKernel& kernel) {
    std::set<std::string> nodes;
    for (std::size_t rank = 0; rank < std::min(kernel.ranks.size(), file.ranks.size()); ++rank) {
      const KernelRecord& record = kernel.ranks[rank];
      const Attributes& facts = file.ranks[rank].facts;
      const ReportData where = {{"file", path},
                                {"kernel", kernel.point.kernel},
                                {"point", kernel.point.index},
                                {"model", fact(kernel.point.parameters, "model")},
                                {"environment", fact(facts, "environment")},
                                {"host", fact(facts, "host")},
                                {"rank", rank}};
      if (nodes.insert(fact(facts, "node")).second)
        push("timelines", where, "columns", timeline_of(record.timeline));
      if (kernel.point.kernel == "charge") push("charge", where, "cells", matrix_of(record));
      if (kernel.point.kernel == "kv_budget") push("kv", where, "budgets", budgets_of(record));
    }
    for (const results::NodeBalance& balance : results::node_balances(file, kernel)) {
      ReportData where = {{"file", path},
                          {"kernel", kernel.point.kernel},
                          {"point", kernel.point.index},
                          {"node", balance.node},
                          {"host", fact(file.ranks[balance.rank].facts, "host")},
                          {"from", balance.from},
                          {"to", balance.to},
                          {"free_change", balance.balance.free_change},
                          {"residual", balance.balance.residual},
                          {"unanswered", balance.balance.unanswered}};
      push("balance", where, "terms", terms_of(balance.balance));
    }
  }

  void push(const std::string& section, ReportData where, const char* name, ReportData content) {
    if (content.is_null() || content.empty()) return;
    if (data_[section].is_null())
      data_[section] = {{"items", ReportData::array()}, {"notes", ReportData::array()}};
    where[name] = std::move(content);
    if (data_[section]["items"].size() < kShownQuestions) data_[section]["items"].push_back(std::move(where));
  }

  ReportData& data_;
};

/// Result files with kernels of their own sections first, then each environment's in turn.
std::vector<std::string> files_to_detail(const Table& table) {
  std::set<std::uint32_t> special;
  for (const Point& point : table.points()) {
    if (point.kernel == "charge" || point.kernel == "kv_budget") special.insert(point.launch);
  }
  std::map<std::string, std::size_t> turns;
  std::vector<std::pair<std::size_t, std::string>> ranked;
  std::set<std::string> seen;
  for (std::uint32_t i = 0; i < table.launches().size(); ++i) {
    const Launch& launch = table.launches()[i];
    if (launch.file.ends_with(".csv") || launch.file.ends_with(".json") || launch.file.ends_with(".jsonl") ||
        !seen.insert(launch.file).second)
      continue;
    ranked.emplace_back(special.contains(i) ? 0 : ++turns[launch.environment], launch.file);
  }
  std::ranges::stable_sort(ranked, {}, &std::pair<std::size_t, std::string>::first);
  std::vector<std::string> files;
  files.reserve(ranked.size());
  for (auto& [turn, file] : ranked) files.push_back(std::move(file));
  return files;
}

}  // namespace

void add_file_sections(const Table& table, ReportData& data) {
  const std::vector<std::string> files = files_to_detail(table);
  FileSections sections(data);
  std::vector<std::string> notes;
  for (std::size_t i = 0; i < std::min(files.size(), kDetailedFiles); ++i) {
    try {
      sections.add(files[i]);
    } catch (const Error& error) {
      notes.push_back(fmt::format("left out: {}", error.what()));
    }
  }
  if (files.size() > kDetailedFiles)
    notes.push_back(
        fmt::format("{} of {} files are looked into, each environment in turn; name fewer files "
                    "to see others.",
                    kDetailedFiles, files.size()));
  for (const char* name : {"timelines", "charge", "balance", "kv"}) {
    if (data.contains(name)) data[name]["notes"] = notes;
  }
  if (data.contains("timelines"))
    data["timelines"]["notes"].push_back(
        fmt::format("Each node's first rank. Of more than {} ticks the smallest and the largest of each "
                    "stretch are shown.",
                    kShownPoints));
}

}  // namespace sparkmpi::analysis::report
