// What single samples and single ranks show: distributions, and means node by rank.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "analysis/factor.hpp"
#include "analysis/formats/tidy_csv.hpp"
#include "analysis/report/sections.hpp"

namespace sparkmpi::analysis::report {
namespace {

constexpr std::size_t kShownDistributions = 30, kShownGroups = 8, kShownRanks = 4096, kCurvePoints = 120;

/// The parameters, without the factor, that differ between points of the same kernel, "batch=4 ranks=2": what
/// tells a point from its neighbours.
class Conditions {
 public:
  Conditions(const Table& table, std::string_view factor) : table_(table), factor_(factor) {
    for (const Point& point : table.points()) {
      for (const auto& [name, value] : point.parameters) values_[{point.kernel, name}].insert(value);
    }
    for (const Launch& launch : table.launches()) ranks_.insert(launch.ranks);
  }

  std::string of(const Point& point, bool with_ranks) const {
    Factors varying;
    for (const auto& [name, value] : point.parameters) {
      if (name != factor_ && values_.at({point.kernel, name}).size() > 1) varying[name] = value;
    }
    if (with_ranks && factor_ != "ranks" && factor_ != kTensorParallel && ranks_.size() > 1)
      varying["ranks"] = fmt::format("{}", table_.launches()[point.launch].ranks);
    std::string text = join_factors(varying);
    std::ranges::replace(text, ';', ' ');
    return text;
  }

 private:
  const Table& table_;
  std::string factor_;
  std::map<std::pair<std::string, std::string>, std::set<std::string>> values_;
  std::set<int> ranks_;
};

struct Key {
  std::string kernel, model, condition;
  std::uint32_t metric;
  // NOLINTNEXTLINE(modernize-use-nullptr): clang-tidy 14 takes the 0 that a comparison implies for a pointer
  auto operator<=>(const Key&) const = default;
};

bool is_performance(const Metric& metric) {
  return metric.better != results::Better::neither;
}

ReportData entry_of(const Table& table, const Key& key) {
  return question_row(table, key.kernel, key.model, key.condition, key.metric);
}

ReportData curve_of(const std::string& level, std::vector<double>& values) {
  std::ranges::sort(values);
  ReportData group = {{"level", level}, {"samples", values.size()}};
  group["values"] = group["shares"] = ReportData::array();
  for (const std::size_t i : thinned(values.size(), kCurvePoints)) {
    group["values"].push_back(shown(values[i]));
    group["shares"].push_back(
        std::round(1e4 * static_cast<double>(i + 1) / static_cast<double>(values.size())) / 1e4);
  }
  return group;
}

/// The samples of each metric under each condition by the factor's levels; the factor itself is no condition.
/// Null where no metric has samples.
ReportData distributions_by(const Table& table, const std::string& factor) {
  const FactorColumn column(table, factor);
  const Conditions conditions(table, factor);
  std::map<Key, std::map<std::string, std::vector<double>>> pooled;
  for (const Series& series : table.series()) {
    const Metric& metric = table.metrics()[series.metric];
    const Point& point = table.points()[series.point];
    if (!is_performance(metric) || !point.complete || (metric.unit != "s" && !metric.is_rate())) continue;
    const std::string& level = column.of(series);
    if (level.empty()) continue;
    const Key key{point.kernel, factor == "model" ? std::string() : point.model, conditions.of(point, true),
                  series.metric};
    std::ranges::copy_if(table.samples(series), std::back_inserter(pooled[key][level]),
                         [](double value) { return !std::isnan(value); });
  }
  ReportData section = {{"factor", factor}, {"items", ReportData::array()}, {"notes", ReportData::array()}};
  std::size_t left_out = 0;
  bool thinned_out = false;
  for (auto& [key, groups] : pooled) {
    std::erase_if(groups, [](const auto& group) { return group.second.size() < 2; });
    if (groups.empty()) continue;
    if (section["items"].size() >= kShownDistributions) {
      ++left_out;
      continue;
    }
    ReportData item = entry_of(table, key);
    item["groups"] = ReportData::array();
    for (auto& [level, values] : groups) {
      if (item["groups"].size() >= kShownGroups) break;
      thinned_out = thinned_out || values.size() > kCurvePoints;
      item["groups"].push_back(curve_of(level, values));
    }
    section["items"].push_back(std::move(item));
  }
  if (section["items"].empty()) return {};
  if (thinned_out)
    section["notes"].push_back(
        fmt::format("Curves of more samples show {} of them, evenly spaced in rank; sparkmpi export has all.",
                    kCurvePoints));
  if (left_out != 0)
    section["notes"].push_back(fmt::format("{} further distributions are not shown.", left_out));
  section["notes"].push_back("Samples of one launch are not independent: compare launches, above.");
  return section;
}

}  // namespace

ReportData distributions(const Table& table, std::span<const std::string> factors) {
  std::vector<std::string> asked(factors.begin(), factors.end());
  if (asked.empty()) asked.emplace_back(kEveryLaunch);
  ReportData sections = ReportData::array();
  for (const std::string& factor : asked) {
    if (ReportData section = distributions_by(table, factor); !section.is_null())
      sections.push_back(std::move(section));
  }
  return sections.empty() ? ReportData() : sections;
}

ReportData node_ranks(const Table& table) {
  int most = 1;
  for (const Launch& launch : table.launches()) most = std::max(most, launch.ranks);
  if (most < 2) return {};
  struct Cell {
    const Rank* rank = nullptr;
    double sum = 0;
    std::size_t launches = 0;
  };
  const Conditions conditions(table, {});
  std::map<Key, std::map<std::int32_t, Cell>> items;
  for (const Series& series : table.series()) {
    const Metric& metric = table.metrics()[series.metric];
    const Point& point = table.points()[series.point];
    if (!is_performance(metric) || !point.complete || table.launches()[point.launch].ranks != most) continue;
    const Rank& rank = table.ranks()[series.rank];
    Cell& cell = items[{point.kernel, point.model, conditions.of(point, false), series.metric}][rank.rank];
    cell.rank = &rank;
    cell.sum += series.mean(metric);
    ++cell.launches;
  }
  ReportData section;
  section["items"] = ReportData::array();
  section["notes"] = {
      fmt::format("Launches of {} ranks. A cell is the mean over launches of a rank's mean.", most)};
  for (const auto& [key, cells] : items) {
    if (cells.size() < 2 || section["items"].size() >= kShownDistributions / 2) continue;
    ReportData item = entry_of(table, key);
    item["cells"] = ReportData::array();
    for (const auto& [number, cell] : cells) {
      if (item["cells"].size() >= kShownRanks) break;
      item["cells"].push_back({{"rank", number},
                               {"node", cell.rank->node},
                               {"host", cell.rank->host},
                               {"device", cell.rank->device},
                               {"value", shown(cell.sum / static_cast<double>(cell.launches))}});
    }
    section["items"].push_back(std::move(item));
  }
  return section["items"].empty() ? ReportData() : section;
}

}  // namespace sparkmpi::analysis::report
