#include "analysis/factor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "base/error.hpp"
#include "base/near_match.hpp"

namespace sparkmpi::analysis {
namespace {

constexpr std::array<std::string_view, 9> kOfLaunch = {"environment",  "study", "trial", "file",      "block",
                                                       "memory_model", "ranks", "nodes", kEveryLaunch};
constexpr std::array<std::string_view, 5> kOfRank = {"node", "rank", "host", "device", "device_id"};

std::string launch_value(const Launch& launch, std::string_view factor) {
  if (factor == "environment") return launch.environment;
  if (factor == "study") return launch.study;
  if (factor == "trial") return launch.trial;
  if (factor == "file") return launch.file;
  if (factor == "block") return launch.block;
  if (factor == "memory_model") return launch.memory_model;
  if (factor == "ranks") return fmt::format("{}", launch.ranks);
  if (factor == "nodes") return fmt::format("{}", launch.nodes);
  return "all";
}

template <class Map>
std::string value_in(const Map& map, std::string_view name) {
  const auto found = map.find(name);
  return found == map.end() ? std::string() : found->second;
}

/// Nodes by their host's name; where two nodes of a launch have the same (containers), with their number.
std::vector<std::string> node_names(const Table& table) {
  std::map<std::pair<std::uint32_t, std::string>, std::set<int>> nodes;
  for (const Rank& rank : table.ranks()) nodes[{rank.launch, rank.host}].insert(rank.node);
  std::vector<std::string> names;
  for (const Rank& rank : table.ranks()) {
    const bool unique = nodes[{rank.launch, rank.host}].size() == 1;
    names.push_back(rank.host.empty() ? fmt::format("node {}", rank.node)
                    : unique          ? rank.host
                                      : fmt::format("{}#{}", rank.host, rank.node));
  }
  return names;
}

std::string rank_value(const Rank& rank, std::string_view factor) {
  if (factor == "rank") return fmt::format("{}", rank.rank);
  if (factor == "host") return rank.host;
  if (factor == "device_id") return rank.device;
  return rank.device_name.empty() ? rank.device : rank.device_name;
}

template <std::size_t N>
bool holds(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

}  // namespace

const std::string& tensor_parallel_degree(const Point& point) {
  static const std::string kNone;
  for (const Factors* const said : {&point.parameters, &point.facts}) {
    if (const auto found = said->find(kTensorParallel); found != said->end()) return found->second;
  }
  return kNone;
}

std::vector<std::string> factors_of(const Table& table) {
  std::set<std::string> names;
  for (const Point& point : table.points()) {
    for (const auto& [name, value] : point.parameters) names.insert(name);
  }
  for (const Launch& launch : table.launches()) {
    for (const auto& [name, value] : launch.facts) names.insert(name);
  }
  std::vector<std::string> all = {"environment", "node", "model", "device", "kernel"};
  for (const std::string_view name : kOfLaunch) all.emplace_back(name);
  for (const std::string_view name : kOfRank) all.emplace_back(name);
  all.insert(all.end(), names.begin(), names.end());
  return all;
}

FactorColumn::FactorColumn(const Table& table, std::string_view factor) : table_(table) {
  if (holds(kOfLaunch, factor)) {
    for (const Launch& launch : table.launches()) values_.push_back(launch_value(launch, factor));
  } else if (holds(kOfRank, factor)) {
    kind_ = Kind::rank;
    if (factor == "node") {
      values_ = node_names(table);
    } else {
      for (const Rank& rank : table.ranks()) values_.push_back(rank_value(rank, factor));
    }
  } else {
    kind_ = Kind::point;
    for (const Point& point : table.points()) {
      std::string value = factor == "kernel"          ? point.kernel
                          : factor == "model"         ? point.model
                          : factor == kTensorParallel ? tensor_parallel_degree(point)
                                                      : value_in(point.parameters, factor);
      if (value.empty()) value = value_in(table.launches()[point.launch].facts, factor);
      values_.push_back(std::move(value));
    }
  }
  // A table without launches has every launch in one level all the same.
  if (factor != kEveryLaunch &&
      std::ranges::all_of(values_, [](const std::string& value) { return value.empty(); })) {
    const std::vector<std::string> known = factors_of(table);
    const std::vector<std::string_view> views(known.begin(), known.end());
    const bool is_name = std::ranges::find(views, factor) != views.end();
    throw UsageError(
        fmt::format("--by {}: no launch says its {}{}; factors are environment, node, model, device, "
                    "kernel, host, rank, ranks, nodes, any parameter and any fact of the runs",
                    factor, factor, is_name ? std::string() : did_you_mean(factor, views)));
  }
}

const std::string& FactorColumn::of(const Series& series) const {
  switch (kind_) {
    case Kind::launch:
      return values_[table_.points()[series.point].launch];
    case Kind::point:
      return values_[series.point];
    case Kind::rank:
      return values_[series.rank];
  }
  return values_.front();
}

}  // namespace sparkmpi::analysis
