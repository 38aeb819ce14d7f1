#include "analysis/report/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "analysis/compare_sentence.hpp"
#include "analysis/report/sections.hpp"

namespace sparkmpi::analysis {
namespace {

constexpr std::size_t kOverviewSentences = 12;

/// What compare says of the primary metrics, the decided first, and what audit found.
ReportData overview(const Loaded& loaded, std::span<const Statement> primary, const ReportData& data) {
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
  std::vector<Answer> answers = condensed(primary);
  std::ranges::stable_partition(answers,
                                [](const Answer& each) { return each.verdict != Verdict::undecided; });
  std::size_t left = 0;
  for (const Answer& answer : answers) {
    if (section["answers"].size() < kOverviewSentences) {
      section["answers"].push_back({{"verdict", to_string(answer.verdict)}, {"sentence", answer.sentence}});
    } else {
      left += answer.statements;
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
  const std::vector<std::string> factors = report::factors_to_compare(loaded.table, options);
  std::vector<Statement> primary;
  add("comparisons", report::comparisons(loaded.table, factors, options, primary));
  report::add_file_sections(loaded.table, data);
  add("distributions", report::distributions(loaded.table, factors));
  add("scaling", report::scaling(loaded.table, options));
  add("node_ranks", report::node_ranks(loaded.table));
  add("audit", report::audited(loaded.table, options));
  add("provenance", report::provenance(loaded.table));
  data["overview"] = overview(loaded, primary, data);
  return data;
}

}  // namespace sparkmpi::analysis
