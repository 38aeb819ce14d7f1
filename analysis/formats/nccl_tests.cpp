// nccl-tests -J FILE: times in µs, bandwidths in GB/s (10^9).
#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "analysis/formats/foreign_json.hpp"

namespace sparkmpi::analysis {
namespace {

using nlohmann::json;
using results::Better;
using results::Origin;

std::string text_of(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

StagedPoint point_of(const json& row, const json& body, const json* iterations, const char* placement,
                     const std::string& operation) {
  StagedPoint staged;
  staged.point.kernel = "nccl-tests";
  staged.point.parameters = {{"operation", operation}, {"placement", placement}};
  for (const char* name : {"size", "type", "redop"}) {
    if (row.contains(name)) staged.point.parameters[name] = text_of(row.at(name));
  }
  staged.series.push_back(
      {{"bus_bandwidth_bytes_per_s", "B/s", "algorithm bandwidth x the operation's bus factor",
        Better::higher, Origin::derived},
       0,
       {number_of(body.at("bus_bw")) * 1e9}});
  staged.series.push_back(
      {{"algorithm_bandwidth_bytes_per_s", "B/s", "bytes / time", Better::higher, Origin::derived},
       0,
       {number_of(body.at("alg_bw")) * 1e9}});
  std::vector<double> seconds;
  if (iterations != nullptr) {
    for (const json& time : iterations->at("times_us")) seconds.push_back(number_of(time) * 1e-6);
  }
  if (seconds.empty())
    seconds = {number_of(body.contains("time") ? body.at("time") : body.at("cpu_time")) * 1e-6};
  staged.series.push_back(
      {{"operation_time_s", "s", "time of one operation", Better::lower, Origin::measured}, 0, seconds});
  const double wrong = body.contains("nwrong") ? number_of(body.at("nwrong")) : 0;
  if (wrong > 0) {
    staged.point.complete = false;
    staged.point.error = fmt::format("{} wrong elements", wrong);
  }
  return staged;
}

bool recognises(const json& document) {
  return document.is_object() && document.contains("nccl_version") && document.contains("results");
}

std::vector<StagedLaunch> launches(const json& document, const std::filesystem::path& file) {
  StagedLaunch staged;
  staged.launch.file = file.string();
  staged.launch.trial = file.stem().string();
  staged.launch.start_time = iso_time(document.value("start_time", ""));
  staged.launch.facts["nccl_version"] = text_of(document.at("nccl_version"));
  std::string operation = "collective";
  if (document.contains("args") && !document.at("args").empty())
    operation = std::filesystem::path(document.at("args").at(0).get<std::string>()).filename().string();
  if (document.contains("config") && document.at("config").contains("devices")) {
    std::map<std::string, int> nodes;
    staged.ranks.clear();
    for (const json& device : document.at("config").at("devices")) {
      Rank rank;
      rank.rank = device.at("rank").get<int>();
      rank.host = device.at("hostname").get<std::string>();
      rank.node = nodes.try_emplace(rank.host, static_cast<int>(nodes.size())).first->second;
      rank.device = fmt::format("cuda:{}", device.at("device").get<int>());
      rank.device_name = device.value("device_info", "");
      staged.ranks.push_back(std::move(rank));
    }
    if (staged.ranks.empty()) staged.ranks = {Rank{}};
    staged.launch.nodes = std::max<int>(1, static_cast<int>(nodes.size()));
  }
  for (const json& row : document.at("results")) {
    for (const char* placement : {"out_of_place", "in_place"}) {
      if (!row.contains(placement) || row.at(placement).is_null()) continue;
      const std::string detail = std::string(placement) + "_per_iter";
      staged.points.push_back(point_of(
          row, row.at(placement), row.contains(detail) ? &row.at(detail) : nullptr, placement, operation));
    }
  }
  return {staged};
}

}  // namespace

const ForeignFormat kNcclTests = {"nccl-tests", recognises, launches};

}  // namespace sparkmpi::analysis
