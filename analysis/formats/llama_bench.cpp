// llama-bench -o json, -o jsonl: one object a test, with the rate of each repetition in samples_ts.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "analysis/formats/foreign_json.hpp"

namespace sparkmpi::analysis {
namespace {

using nlohmann::json;
using results::Better;
using results::Origin;

constexpr std::array<const char*, 12> kParameters = {"n_prompt",     "n_gen",      "n_depth",    "n_batch",
                                                     "n_ubatch",     "n_threads",  "type_k",     "type_v",
                                                     "n_gpu_layers", "flash_attn", "split_mode", "use_mmap"};

Metric rate_of(double prompt, double generated) {
  if (generated == 0)
    return {"prefill_tokens_per_s", "1/s", "prompt tokens / time", Better::higher, Origin::derived};
  if (prompt == 0)
    return {"decode_tokens_per_s", "1/s", "generated tokens / time", Better::higher, Origin::derived};
  return {"tokens_per_s", "1/s", "prompt and generated tokens / time", Better::higher, Origin::derived};
}

StagedPoint point_of(const json& row) {
  StagedPoint staged;
  staged.point.kernel = "llama-bench";
  staged.point.model = std::filesystem::path(row.at("model_filename").get<std::string>()).stem().string();
  for (const char* name : kParameters) {
    if (!row.contains(name)) continue;
    const json& value = row.at(name);
    staged.point.parameters[name] = value.is_string() ? value.get<std::string>() : value.dump();
  }
  std::vector<double> rates;
  if (row.contains("samples_ts")) rates = row.at("samples_ts").get<std::vector<double>>();
  if (rates.empty()) rates = {number_of(row.at("avg_ts"))};
  staged.series.push_back(
      {rate_of(number_of(row.at("n_prompt")), number_of(row.at("n_gen"))), 0, std::move(rates)});
  if (row.contains("model_size")) {
    staged.series.push_back(
        {{"weights_bytes", "B", "size of the model's tensors", Better::neither, Origin::derived},
         0,
         {number_of(row.at("model_size"))}});
  }
  return staged;
}

bool recognises(const json& document) {
  return document.is_array() && !document.empty() && document[0].is_object() &&
         document[0].contains("model_filename") && document[0].contains("avg_ts");
}

std::vector<StagedLaunch> launches(const json& document, const std::filesystem::path& file) {
  StagedLaunch staged;
  const json& first = document.at(0);
  staged.launch.file = file.string();
  staged.launch.trial = file.stem().string();
  staged.launch.start_time = first.value("test_time", "");
  const std::string gpu = first.value("gpu_info", ""), cpu = first.value("cpu_info", "");
  staged.ranks.front().device_name = gpu.empty() ? cpu : gpu;
  staged.ranks.front().device = gpu.empty() ? "host" : "gpu";
  for (const char* fact : {"build_commit", "backends", "cpu_info", "gpu_info"}) {
    if (first.contains(fact) && first.at(fact).is_string())
      staged.launch.facts[fact] = first.at(fact).get<std::string>();
  }
  for (const json& row : document) staged.points.push_back(point_of(row));
  return {staged};
}

}  // namespace

const ForeignFormat kLlamaBench = {"llama-bench", recognises, launches};

}  // namespace sparkmpi::analysis
