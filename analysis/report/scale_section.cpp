// Scaling: weak over ranks and over nodes, strong over the ranks that share a model.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "analysis/report/sections.hpp"
#include "analysis/scale.hpp"
#include "analysis/scale_sentence.hpp"
#include "base/error.hpp"

namespace sparkmpi::analysis::report {
namespace {

struct Kind {
  Scaling scaling;
  Over over;
  std::string_view title, meaning;
};

constexpr std::array<Kind, 3> kKinds = {
    {{Scaling::strong, Over::tp, "Strong: one model divided over ranks",
      "The same work on more ranks (tensor parallel); ideal is a rate that grows, or a time that shrinks, in "
      "proportion."},
     {Scaling::weak, Over::ranks, "Weak: replicas over ranks",
      "Each rank has its own work; ideal is that a rank's rate or time stays as it is. Speed-up is of all "
      "ranks together."},
     {Scaling::weak, Over::nodes, "Weak: replicas over nodes",
      "Each rank has its own work; ideal is that a rank's rate or time stays as it is on more nodes."}}};

ReportData interval_of(const Interval& interval) {
  return {shown(interval.low), shown(interval.high)};
}

ReportData curve_of(const Table& table, const ScaleCurve& curve, Scaling scaling) {
  ReportData each = question_row(table, curve.kernel, curve.model, curve.condition, curve.metric_index);
  each["fit"] = {{"share", shown(curve.serial_share)},
                 {"interval", interval_of(curve.serial_share_interval)},
                 {"sentence", fit_sentence(curve, scaling)}};
  each["points"] = ReportData::array();
  for (const ScalePoint& point : curve.points)
    each["points"].push_back({{"size", point.size},
                              {"launches", point.launches},
                              {"value", shown(point.value)},
                              {"speedup", shown(point.speedup)},
                              {"speedup_interval", interval_of(point.speedup_interval)},
                              {"efficiency", shown(point.efficiency)},
                              {"efficiency_interval", interval_of(point.efficiency_interval)}});
  return each;
}

/// Null where no curve has two sizes.
ReportData kind_of(const Table& table, const Kind& kind, const ScaleResult& result) {
  ReportData section = {{"scaling", kind.scaling == Scaling::strong ? "strong" : "weak"},
                        {"over", to_string(kind.over)},
                        {"title", kind.title},
                        {"meaning", kind.meaning},
                        {"curves", ReportData::array()},
                        {"notes", ReportData::array()}};
  std::size_t left_out = 0;
  for (const ScaleCurve& curve : result.curves) {
    if (curve.points.size() < 2) continue;
    if (section["curves"].size() >= kShownQuestions) {
      ++left_out;
      continue;
    }
    section["curves"].push_back(curve_of(table, curve, kind.scaling));
  }
  if (section["curves"].empty()) return {};
  if (left_out != 0)
    section["notes"].push_back(
        fmt::format("{} further curves are not shown; sparkmpi scale prints them.", left_out));
  return section;
}

}  // namespace

ReportData scaling(const Table& table, const ReportOptions& options) {
  ReportData section = {{"kinds", ReportData::array()}, {"standouts", ReportData::array()}};
  for (const Kind& kind : kKinds) {
    ScaleOptions asked;
    asked.scaling = kind.scaling;
    asked.over = kind.over;
    asked.seed = options.compare.seed;
    asked.metrics = options.compare.metrics;
    try {
      const ScaleResult result = scale(table, asked);
      if (ReportData found = kind_of(table, kind, result); !found.is_null())
        section["kinds"].push_back(std::move(found));
      if (kind.over != Over::ranks) continue;  // what stands apart is the same for each kind
      for (const Standout& standout : result.standouts)
        section["standouts"].push_back(standout_sentence(standout));
    } catch (const UsageError&) {
      // no launch has a rate or a time, or none divides a model: there is nothing of this kind to show
    }
  }
  return section["kinds"].empty() && section["standouts"].empty() ? ReportData() : section;
}

}  // namespace sparkmpi::analysis::report
