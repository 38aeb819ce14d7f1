// trtllm-bench throughput --report_json FILE: one launch, times in ms.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "analysis/formats/foreign_json.hpp"

namespace sparkmpi::analysis {
namespace {

using nlohmann::json;
using results::Better;
using results::Origin;

struct Field {
  const char* group;
  const char* name;
  double scale;
  Metric metric;
};

const std::vector<Field>& fields() {
  static const std::vector<Field> kFields = {
      {"performance",
       "request_throughput_req_s",
       1,
       {"requests_per_s", "1/s", "finished requests / time", Better::higher, Origin::derived}},
      {"performance",
       "system_output_throughput_tok_s",
       1,
       {"output_tokens_per_s", "1/s", "output tokens / time", Better::higher, Origin::derived}},
      {"performance",
       "total_latency_ms",
       1e-3,
       {"wall_time_s", "s", "first request's start to last one's end", Better::lower, Origin::measured}},
      {"performance",
       "avg_request_latency_ms",
       1e-3,
       {"e2e_latency_s", "s", "a request's duration, mean", Better::lower, Origin::derived}},
      {"streaming_metrics",
       "avg_ttft_ms",
       1e-3,
       {"ttft_s", "s", "time to first token, mean", Better::lower, Origin::derived}},
      {"streaming_metrics",
       "avg_tpot_ms",
       1e-3,
       {"tpot_s", "s", "time per output token, mean", Better::lower, Origin::derived}},
  };
  return kFields;
}

void copy_texts(const json& from, std::initializer_list<const char*> names, Factors& to) {
  for (const char* name : names) {
    if (!from.contains(name) || from.at(name).is_null()) continue;
    to[name] = from.at(name).is_string() ? from.at(name).get<std::string>() : from.at(name).dump();
  }
}

bool recognises(const json& document) {
  return document.is_object() && document.contains("engine") && document.contains("performance");
}

std::vector<StagedLaunch> launches(const json& document, const std::filesystem::path& file) {
  StagedLaunch staged;
  staged.launch.file = file.string();
  staged.launch.trial = file.stem().string();
  StagedPoint point;
  point.point.kernel = "trtllm-bench";
  const json& engine = document.at("engine");
  point.point.model = std::filesystem::path(engine.at("model").get<std::string>()).filename().string();
  copy_texts(engine, {"backend", "dtype", "kv_cache_dtype", "quantization"}, point.point.parameters);
  copy_texts(engine, {"version", "model_path"}, staged.launch.facts);
  if (document.contains("world_info"))
    copy_texts(document.at("world_info"),
               {"tp_size", "pp_size", "world_size", "max_batch_size", "kv_cache_percentage"},
               point.point.parameters);
  if (document.contains("request_info")) {
    const json& requests = document.at("request_info");
    copy_texts(requests, {"num_requests", "avg_input_length", "avg_output_length"}, point.point.parameters);
    copy_texts(requests, {"avg_num_concurrent_requests"}, point.point.facts);
  }
  if (document.contains("machine") && document.at("machine").is_object()) {
    constexpr double kGiB = 1024.0 * 1024.0 * 1024.0;
    const json& machine = document.at("machine");
    staged.ranks.front().device_name = machine.value("name", "");
    if (machine.contains("memory.total"))
      staged.ranks.front().device_memory_bytes = number_of(machine.at("memory.total")) * kGiB;
  }
  for (const Field& field : fields()) {
    if (document.contains(field.group) && document.at(field.group).contains(field.name))
      point.series.push_back(
          {field.metric, 0, {number_of(document.at(field.group).at(field.name)) * field.scale}});
  }
  staged.points.push_back(std::move(point));
  return {staged};
}

}  // namespace

const ForeignFormat kTrtllmBench = {"trtllm-bench", recognises, launches};

}  // namespace sparkmpi::analysis
