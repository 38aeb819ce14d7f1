// What single samples and single ranks show: distributions, and means node by rank.

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "analysis/formats/tidy_csv.hpp"
#include "analysis/report/sections.hpp"

namespace sparkmpi::analysis::report {
namespace {

constexpr std::size_t kShownDistributions = 40, kShownGroups = 8, kShownRanks = 4096;

/// The parameters that differ between points of the same kernel, "batch=4 ranks=2": what tells a point from
/// its neighbours.
class Conditions {
 public:
  explicit Conditions(const Table& table) : table_(table) {
    for (const Point& point : table.points()) {
      for (const auto& [name, value] : point.parameters) values_[{point.kernel, name}].insert(value);
    }
    for (const Launch& launch : table.launches()) ranks_.insert(launch.ranks);
  }

  std::string of(const Point& point, bool with_ranks) const {
    Factors varying;
    for (const auto& [name, value] : point.parameters) {
      if (values_.at({point.kernel, name}).size() > 1) varying[name] = value;
    }
    if (with_ranks && ranks_.size() > 1)
      varying["ranks"] = fmt::format("{}", table_.launches()[point.launch].ranks);
    std::string text = join_factors(varying);
    std::ranges::replace(text, ';', ' ');
    return text;
  }

 private:
  const Table& table_;
  std::map<std::pair<std::string, std::string>, std::set<std::string>> values_;
  std::set<int> ranks_;
};

struct Key {
  std::string kernel, model, condition;
  std::uint32_t metric;
  auto operator<=>(const Key&) const = default;
};

bool is_performance(const Metric& metric) {
  return metric.better != results::Better::neither;
}

ReportData entry_of(const Key& key, const Metric& metric) {
  return {{"kernel", key.kernel},  {"model", key.model},  {"condition", key.condition},
          {"metric", metric.name}, {"unit", metric.unit}, {"meaning", metric.meaning}};
}

}  // namespace

ReportData distributions(const Table& table) {
  const Conditions conditions(table);
  std::map<Key, std::map<std::string, std::vector<double>>> pooled;
  for (const Series& series : table.series()) {
    const Metric& metric = table.metrics()[series.metric];
    const Point& point = table.points()[series.point];
    if (!is_performance(metric) || !point.complete || (metric.unit != "s" && !metric.is_rate())) continue;
    const std::span<const double> samples = table.samples(series);
    std::vector<double>& values = pooled[{point.kernel, point.model, conditions.of(point, true),
                                          series.metric}][table.launches()[point.launch].environment];
    std::ranges::copy_if(samples, std::back_inserter(values), [](double value) { return value == value; });
  }
  ReportData section;
  section["items"] = section["notes"] = ReportData::array();
  std::size_t left_out = 0;
  bool thinned_out = false;
  for (auto& [key, groups] : pooled) {
    std::erase_if(groups, [](const auto& group) { return group.second.size() < 2; });
    if (groups.empty()) continue;
    if (section["items"].size() >= kShownDistributions) {
      ++left_out;
      continue;
    }
    ReportData item = entry_of(key, table.metrics()[key.metric]);
    item["groups"] = ReportData::array();
    for (auto& [environment, values] : groups) {
      if (item["groups"].size() >= kShownGroups) break;
      std::ranges::sort(values);
      thinned_out = thinned_out || values.size() > kShownPoints;
      ReportData group = {{"level", environment}, {"samples", values.size()}};
      group["values"] = group["shares"] = ReportData::array();
      for (const std::size_t i : thinned(values.size(), kShownPoints)) {
        group["values"].push_back(shown(values[i]));
        group["shares"].push_back(shown(static_cast<double>(i + 1) / static_cast<double>(values.size())));
      }
      item["groups"].push_back(std::move(group));
    }
    section["items"].push_back(std::move(item));
  }
  if (section["items"].empty()) return {};
  if (thinned_out)
    section["notes"].push_back(
        fmt::format("Curves of more samples show {} of them, evenly spaced in rank; sparkmpi export has all.",
                    kShownPoints));
  if (left_out != 0)
    section["notes"].push_back(fmt::format("{} further distributions are not shown.", left_out));
  section["notes"].push_back("Samples of one launch are not independent: compare launches, above.");
  return section;
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
  const Conditions conditions(table);
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
    ReportData item = entry_of(key, table.metrics()[key.metric]);
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
