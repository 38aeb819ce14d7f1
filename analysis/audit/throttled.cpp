// Samples taken while the device was held back.
#include <fmt/format.h>

#include <set>

#include "analysis/audit/check.hpp"

namespace sparkmpi::analysis::checks {
namespace {

bool speaks_of_throttling(std::string_view name) {
  return name.find("throttl") != std::string_view::npos;
}

bool says_none(std::string_view value) {
  static const std::set<std::string_view> kNone = {"", "0", "none", "no", "false", "nan", "not supported"};
  return kNone.contains(value);
}

Output run(const Input& input) {
  Output output;
  std::set<std::uint32_t> throttled, asked;
  std::string example;
  for (const Series& series : input.table.series()) {
    const Metric& metric = input.table.metrics()[series.metric];
    if (!speaks_of_throttling(metric.name)) continue;
    const std::uint32_t launch = input.table.points()[series.point].launch;
    asked.insert(launch);
    if (!(series.location.mean > 0)) continue;
    throttled.insert(launch);
    if (example.empty())
      example = fmt::format("{} is {:.3g} on average in {}", metric.name, series.location.mean,
                            input.table.launches()[launch].file);
  }
  for (const Point& point : input.table.points()) {
    for (const auto& [name, value] : point.facts) {
      if (!speaks_of_throttling(name)) continue;
      asked.insert(point.launch);
      if (says_none(value)) continue;
      throttled.insert(point.launch);
      if (example.empty())
        example = fmt::format("{} is '{}' in {}", name, value, input.table.launches()[point.launch].file);
    }
  }
  if (asked.empty()) output.not_possible = "no file says whether a device was throttled";
  if (throttled.empty()) return output;
  Finding finding;
  finding.what = fmt::format("{} of {} ran throttled.", throttled.size(), counted(asked.size(), "launch"));
  finding.evidence = example + ".";
  finding.sure = "certain: the device said so";
  finding.advice =
      "Cool down or lift the power limit, and run them again; flag them, do not drop them silently.";
  finding.numbers = {{"throttled_launches", static_cast<double>(throttled.size())}};
  output.certain.push_back(std::move(finding));
  return output;
}

}  // namespace

const Check kThrottled = {"throttled", "was a device held back?", run};

}  // namespace sparkmpi::analysis::checks
