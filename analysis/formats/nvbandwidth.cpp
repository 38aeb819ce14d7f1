// nvbandwidth --json: a matrix of texts for each test case, in GB/s or, for latencies, in ns.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "analysis/formats/foreign_json.hpp"

namespace sparkmpi::analysis {
namespace {

using nlohmann::json;
using results::Better;
using results::Origin;

StagedPoint point_of(const json& testcase) {
  StagedPoint staged;
  staged.point.kernel = "nvbandwidth";
  staged.point.parameters["testcase"] = testcase.at("name").get<std::string>();
  const std::string status = testcase.value("status", "");
  staged.point.complete = status == "Passed";
  if (!staged.point.complete) staged.point.error = testcase.value("error", status);
  if (!testcase.contains("bandwidth_matrix")) return staged;
  const bool latency = testcase.value("bandwidth_description", "").find("(ns)") != std::string::npos;
  std::vector<double> values;
  for (const json& row : testcase.at("bandwidth_matrix")) {
    for (const json& cell : row) values.push_back(number_of(cell) * (latency ? 1e-9 : 1e9));
  }
  staged.series.push_back(
      {latency ? Metric{"memory_latency_s", "s", "time of one access", Better::lower, Origin::measured}
               : Metric{"bandwidth_bytes_per_s", "B/s", "bytes copied / time, each pair of devices",
                        Better::higher, Origin::derived},
       0, std::move(values)});
  return staged;
}

bool recognises(const json& document) {
  return document.is_object() && document.contains("nvbandwidth");
}

std::vector<StagedLaunch> launches(const json& document, const std::filesystem::path& file) {
  const json& root = document.at("nvbandwidth");
  StagedLaunch staged;
  staged.launch.file = file.string();
  staged.launch.trial = file.stem().string();
  for (const char* fact : {"CUDA Runtime Version", "Driver Version", "version", "git_version"}) {
    if (!root.contains(fact)) continue;
    const json& value = root.at(fact);
    staged.launch.facts[fact] = value.is_string() ? value.get<std::string>() : value.dump();
  }
  for (const json& testcase : root.at("testcases")) staged.points.push_back(point_of(testcase));
  return {staged};
}

}  // namespace

const ForeignFormat kNvbandwidth = {"nvbandwidth", recognises, launches};

}  // namespace sparkmpi::analysis
