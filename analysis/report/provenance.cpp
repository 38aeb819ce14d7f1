// Who made the launches, where and with what: facts that all share, and those that differ.

#include <fmt/format.h>

#include <map>
#include <set>

#include "analysis/report/sections.hpp"

namespace sparkmpi::analysis::report {
namespace {

constexpr std::size_t kShownLaunches = 100;

}  // namespace

ReportData provenance(const Table& table) {
  std::vector<Factors> all;
  for (const Launch& launch : table.launches()) {
    Factors facts = launch.facts;
    facts["file"] = launch.file;
    facts["trial"] = launch.trial;
    facts["environment"] = launch.environment;
    facts["memory_model"] = launch.memory_model;
    facts["start_time"] = launch.start_time;
    facts["ranks"] = fmt::format("{}", launch.ranks);
    facts["nodes"] = fmt::format("{}", launch.nodes);
    std::erase_if(facts, [](const auto& fact) { return fact.second.empty(); });
    all.push_back(std::move(facts));
  }
  for (const Rank& rank : table.ranks()) {
    for (const auto& [name, value] :
         {std::pair("hosts", rank.host), std::pair("devices", rank.device_name)}) {
      if (std::string& text = all[rank.launch][name]; value.empty()) {
        if (text.empty()) all[rank.launch].erase(name);
      } else if ((", " + text + ", ").find(", " + value + ", ") == std::string::npos) {
        text += (text.empty() ? "" : ", ") + value;
      }
    }
  }
  std::map<std::string, std::set<std::string>> values;
  std::map<std::string, std::size_t> holders;
  for (const Factors& facts : all) {
    for (const auto& [name, value] : facts) {
      values[name].insert(value);
      ++holders[name];
    }
  }
  ReportData section;
  section["shared"] = section["columns"] = section["launches"] = section["notes"] = ReportData::array();
  for (const auto& [name, texts] : values) {
    if (texts.size() == 1 && holders[name] == all.size()) {
      section["shared"].push_back({{"name", name}, {"value", *texts.begin()}});
    } else {
      section["columns"].push_back(name);
    }
  }
  for (const std::size_t i : thinned(all.size(), kShownLaunches)) {
    ReportData row = ReportData::array();
    for (const auto& name : section["columns"]) {
      const auto found = all[i].find(name.get<std::string>());
      row.push_back(found == all[i].end() ? "" : found->second);
    }
    section["launches"].push_back(std::move(row));
  }
  if (all.size() > kShownLaunches)
    section["notes"].push_back(
        fmt::format("{} of {} launches are listed; sparkmpi export has all", kShownLaunches, all.size()));
  return section;
}

}  // namespace sparkmpi::analysis::report
