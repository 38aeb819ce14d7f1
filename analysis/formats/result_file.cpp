#include "analysis/formats/result_file.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "analysis/factor.hpp"
#include "results/reader.hpp"

namespace sparkmpi::analysis {
namespace {

constexpr std::array<std::string_view, 8> kRankFacts = {"host",         "node",        "device",
                                                        "device_name",  "environment", "device_memory_bytes",
                                                        "memory_model", "local_rank"};
constexpr std::array<std::string_view, 3> kOwnColumns = {"model", "ranks", "nodes"};

bool counts_throttling(std::string_view name) {
  return name.find("throttl") != std::string_view::npos;
}

bool kernel_fact_wanted(std::string_view name) {
  return name.starts_with("weights_") || name.starts_with("model") || name == kTensorParallel ||
         counts_throttling(name);
}

bool is_compared(const results::StoredMetric& metric, std::string_view axis) {
  if (metric.better != results::Better::neither || counts_throttling(metric.name)) return true;
  const bool per_event = axis == "token" || axis == "step" || axis == "request";
  return !per_event && (metric.unit == "B" || metric.unit == "B/s");
}

results::ReadOptions read_options(const LoadOptions& options) {
  results::ReadOptions read;
  read.ledgers = read.timelines = read.labels = false;
  read.rank_fact = [](std::string_view name) {
    return std::ranges::find(kRankFacts, name) != kRankFacts.end();
  };
  read.kernel_fact = kernel_fact_wanted;
  read.metric = [&options](const results::StoredMetric& metric, std::string_view axis) {
    if (!options.metrics.empty())
      return std::ranges::find(options.metrics, metric.name) != options.metrics.end();
    return options.all_metrics || is_compared(metric, axis);
  };
  return read;
}

std::string text(const Attributes& facts, std::string_view name) {
  const auto found = facts.find(name);
  return found == facts.end() ? std::string() : to_string(found->second);
}

double number(const Attributes& facts, std::string_view name, double otherwise) {
  const auto found = facts.find(name);
  if (found == facts.end()) return otherwise;
  if (const auto* integer = std::get_if<std::int64_t>(&found->second)) return static_cast<double>(*integer);
  const auto* real = std::get_if<double>(&found->second);
  return real != nullptr ? *real : otherwise;
}

/// What the ranks say, each once: "native", or "docker+native" for a launch of both.
std::string joined(const std::vector<results::RankInfo>& ranks, std::string_view fact) {
  std::set<std::string> values;
  for (const results::RankInfo& rank : ranks) values.insert(text(rank.facts, fact));
  std::string all;
  for (const std::string& value : values) all += (all.empty() ? "" : "+") + value;
  return all;
}

Launch launch_of(const results::ResultFile& file, const std::filesystem::path& path) {
  Launch launch;
  const Attributes& run = file.run.facts;
  launch.file = path.string();
  launch.study = text(run, "study");
  launch.trial = text(run, "trial");
  launch.block = text(run, "block");
  launch.start_time = text(run, "start_time");
  if (run.contains("order")) launch.order = number(run, "order", 0);
  if (launch.trial.empty()) launch.trial = path.stem().string();
  launch.environment = text(run, "study_environment");
  if (launch.environment.empty()) launch.environment = joined(file.ranks, "environment");
  launch.memory_model = joined(file.ranks, "memory_model");
  launch.ranks = static_cast<int>(file.ranks.size());
  launch.nodes = static_cast<int>(number(run, "nodes", 1));
  launch.points_planned = static_cast<std::int64_t>(number(run, "points_planned", 0));
  for (const auto& [name, value] : run) {
    if (std::ranges::find(kOwnColumns, name) == kOwnColumns.end()) launch.facts[name] = to_string(value);
  }
  return launch;
}

Point point_of(const results::StoredKernel& kernel, std::uint32_t launch) {
  Point point;
  point.launch = launch;
  point.kernel = kernel.point.kernel;
  for (const auto& [name, value] : kernel.point.parameters) {
    if (name == "model") {
      point.model = std::filesystem::path(to_string(value)).filename().string();
    } else {
      point.parameters[name] = to_string(value);
    }
  }
  for (const results::KernelRecord& record : kernel.ranks) {
    point.complete = point.complete && record.outcome.complete;
    if (point.error.empty()) point.error = record.outcome.error;
    for (const auto& [name, value] : record.facts) point.facts.try_emplace(name, to_string(value));
  }
  return point;
}

}  // namespace

void add_result_file(const std::filesystem::path& path, const LoadOptions& options, Table& table) {
  const results::ResultFile file = results::read_result(path, read_options(options));
  const std::uint32_t launch = table.add(launch_of(file, path));
  std::vector<std::uint32_t> ranks;
  for (std::size_t i = 0; i < file.ranks.size(); ++i) {
    const Attributes& facts = file.ranks[i].facts;
    ranks.push_back(table.add(Rank{launch, static_cast<std::int32_t>(i),
                                   static_cast<std::int32_t>(number(facts, "node", 0)), text(facts, "host"),
                                   text(facts, "device"), text(facts, "device_name"),
                                   number(facts, "device_memory_bytes", 0)}));
  }
  for (const results::StoredKernel& kernel : file.kernels) {
    const std::uint32_t point = table.add(point_of(kernel, launch));
    for (const results::StoredMetric& metric : kernel.metrics) {
      const std::uint32_t column =
          table.add(Metric{metric.name, metric.unit, metric.meaning, metric.better, metric.origin},
                    kernel.point.kernel);
      for (std::size_t i = 0; i < std::min(kernel.ranks.size(), ranks.size()); ++i) {
        const auto series = std::ranges::find(kernel.ranks[i].series, metric.name, &results::Series::metric);
        if (series != kernel.ranks[i].series.end()) table.add(point, ranks[i], column, series->values);
      }
    }
  }
}

}  // namespace sparkmpi::analysis
