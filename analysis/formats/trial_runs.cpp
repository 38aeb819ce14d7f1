// The published Phase 1 study: for each model and environment a list of trtllm-bench runs, memory in GiB.
#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "analysis/formats/foreign_json.hpp"

namespace sparkmpi::analysis {
namespace {

using nlohmann::json;
using results::Better;
using results::Origin;

constexpr double kGiB = 1024.0 * 1024.0 * 1024.0;

struct Field {
  const char* name;
  double scale;
  Metric metric;
};

const std::vector<Field>& fields() {
  static const std::vector<Field> kFields = {
      {"throughput",
       1,
       {"requests_per_s", "1/s", "finished requests / time", Better::higher, Origin::derived}},
      {"output_throughput",
       1,
       {"output_tokens_per_s", "1/s", "output tokens / time", Better::higher, Origin::derived}},
      {"latency", 1e-3, {"e2e_latency_s", "s", "a request's duration", Better::lower, Origin::measured}},
      {"peak_memory",
       kGiB,
       {"peak_memory_bytes", "B", "peak memory as the engine logged it", Better::lower, Origin::measured}},
      {"kv_cache",
       kGiB,
       {"kv_cache_bytes", "B", "memory given to the KV cache", Better::higher, Origin::measured}},
      {"start_temp_celsius",
       1,
       {"start_temperature_celsius", "degC", "GPU temperature before", Better::neither, Origin::measured}},
      {"end_temp_celsius",
       1,
       {"end_temperature_celsius", "degC", "GPU temperature after", Better::neither, Origin::measured}},
  };
  return kFields;
}

StagedLaunch launch_of(const json& run, const std::filesystem::path& file) {
  StagedLaunch staged;
  staged.launch.file = file.string();
  staged.launch.study = file.stem().string();
  staged.launch.environment = run.at("environment").get<std::string>();
  staged.launch.trial = fmt::format("{}", run.at("iteration").get<int>());
  staged.launch.start_time = iso_time(run.at("timestamp").get<std::string>());
  if (run.contains("model_path")) staged.launch.facts["model_path"] = run.at("model_path").get<std::string>();
  StagedPoint point;
  point.point.kernel = "trtllm-bench";
  point.point.model = std::filesystem::path(run.at("model_id").get<std::string>()).filename().string();
  const int status = run.value("exit_code", 0);
  point.point.complete = status == 0;
  if (status != 0) point.point.error = fmt::format("exit status {}", status);
  for (const Field& field : fields()) {
    if (run.contains(field.name) && !run.at(field.name).is_null())
      point.series.push_back({field.metric, 0, {run.at(field.name).get<double>() * field.scale}});
  }
  staged.points.push_back(std::move(point));
  return staged;
}

bool recognises(const json& document) {
  return document.is_object() && document.contains("models") && document["models"].is_object();
}

std::vector<StagedLaunch> launches(const json& document, const std::filesystem::path& file) {
  std::vector<StagedLaunch> all;
  for (const auto& [model, environments] : document.at("models").items()) {
    for (const auto& [environment, runs] : environments.items()) {
      for (const json& run : runs) all.push_back(launch_of(run, file));
    }
  }
  return all;
}

}  // namespace

const ForeignFormat kTrialRuns = {"trial runs by model and environment", recognises, launches};

}  // namespace sparkmpi::analysis
