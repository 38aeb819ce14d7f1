#include "analysis/report/report.hpp"

#include <fmt/format.h>

#include <set>

#include "analysis/report/sections.hpp"

namespace sparkmpi::analysis {
namespace {

constexpr std::size_t kOverviewSentences = 12;

/// What compare and audit say, the weightiest first.
ReportData overview(const Loaded& loaded, const ReportData& data) {
  std::set<std::string> environments, hosts, devices;
  for (const Launch& launch : loaded.table.launches())
    if (!launch.environment.empty()) environments.insert(launch.environment);
  for (const Rank& rank : loaded.table.ranks()) {
    if (!rank.host.empty()) hosts.insert(rank.host);
    if (!rank.device_name.empty()) devices.insert(rank.device_name);
  }
  ReportData section;
  const std::size_t launches = loaded.table.launches().size();
  section["summary"] = fmt::format("{} launch{} from {} file{}", launches, launches == 1 ? "" : "es",
                                   loaded.files, loaded.files == 1 ? "" : "s");
  section["facts"] = {{"environments", environments}, {"hosts", hosts}, {"devices", devices}};
  section["answers"] = ReportData::array();
  std::size_t left = 0;
  for (const bool decided : {true, false}) {
    for (const ReportData& comparison : data.value("comparisons", ReportData::array())) {
      for (const ReportData& row : comparison["rows"]) {
        for (const ReportData& answer : row["answers"]) {
          if (!row.value("primary", false) || (answer["verdict"] != "undecided") != decided) continue;
          if (section["answers"].size() < kOverviewSentences) {
            section["answers"].push_back({{"verdict", answer["verdict"]}, {"sentence", answer["sentence"]}});
          } else {
            ++left;
          }
        }
      }
    }
  }
  section["findings"] = ReportData::array();
  for (const ReportData& finding : data["audit"]["findings"]) section["findings"].push_back(finding["what"]);
  section["notes"] = ReportData::array();
  if (left != 0) section["notes"].push_back(fmt::format("{} further answers stand in the comparison.", left));
  for (const std::string& problem : loaded.problems) section["notes"].push_back(problem);
  return section;
}

}  // namespace

ReportData report_data(const Loaded& loaded, const ReportOptions& options) {
  ReportData data;
  data["title"] = options.title;
  data["program"] = options.program;
  data["overview"] = nullptr;  // first in the file, made last
  const auto add = [&data](const char* name, ReportData section) {
    if (!section.is_null()) data[name] = std::move(section);
  };
  add("comparisons", report::comparisons(loaded.table, options));
  report::add_file_sections(loaded.table, data);
  add("distributions", report::distributions(loaded.table));
  add("scaling", report::scaling(loaded.table, options));
  add("node_ranks", report::node_ranks(loaded.table));
  add("audit", report::audited(loaded.table, options));
  add("provenance", report::provenance(loaded.table));
  data["overview"] = overview(loaded, data);
  return data;
}

}  // namespace sparkmpi::analysis
