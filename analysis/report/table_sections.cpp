// Comparisons and audit: what the analysis says about the table.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "analysis/compare_sentence.hpp"
#include "analysis/factor.hpp"
#include "analysis/report/sections.hpp"
#include "analysis/statistics/sample.hpp"
#include "base/error.hpp"

namespace sparkmpi::analysis::report {
namespace {

constexpr std::size_t kMostLevels = 8, kMostFactors = 4, kWorkOfFactors = 20'000;

ReportData group_of(const LevelSummary& level) {
  ReportData group;
  group["level"] = level.level;
  group["launches"] = level.launches;
  group["mean"] = shown(level.mean);
  group["low"] = shown(level.interval.low);
  group["high"] = shown(level.interval.high);
  group["values"] = ReportData::array();
  group["positions"] = ReportData::array();
  for (const std::size_t i : thinned(level.values.size(), kShownPoints)) {
    group["values"].push_back(shown(level.values[i]));
    group["positions"].push_back(i < level.positions.size() ? level.positions[i] : i);
  }
  return group;
}

ReportData answer_of(const Comparison& comparison) {
  ReportData answer;
  answer["level"] = comparison.other.level;
  answer["verdict"] = std::string(to_string(comparison.verdict));
  answer["sentence"] = comparison.sentence;
  answer["difference"] = precise(comparison.difference, comparison.metric.unit);
  answer["relative"] = percent(comparison.relative);
  answer["interval"] =
      std::isnan(comparison.percentile.low)
          ? "-"
          : fmt::format("{} .. {}", precise(comparison.percentile.low, comparison.metric.unit),
                        precise(comparison.percentile.high, comparison.metric.unit));
  answer["p"] = probability(comparison.adjusted_p);
  answer["cautions"] = comparison.cautions;
  return answer;
}

bool same_question(const ReportData& row, const Comparison& comparison) {
  return row["kernel"] == comparison.kernel && row["model"] == comparison.model &&
         row["condition"] == comparison.condition && row["metric"] == comparison.metric.name;
}

void note_left_out(ReportData& section, std::size_t left_out, std::string_view what) {
  if (left_out != 0)
    section["notes"].push_back(
        fmt::format("{} further {} are not shown; sparkmpi compare prints them", left_out, what));
}

ReportData compared_by(const Table& table, const std::string& factor, const ReportOptions& options,
                       std::vector<Statement>& primary) {
  CompareOptions compare_options = options.compare;
  compare_options.factor = factor;
  const CompareResult result = compare(table, compare_options);
  std::vector<const Comparison*> ordered;
  for (const Comparison& comparison : result.comparisons) ordered.push_back(&comparison);
  std::ranges::stable_partition(ordered, &Comparison::primary);
  ReportData section;
  section["factor"] = factor;
  section["reference"] = result.reference;
  section["levels"] = result.levels;
  section["launches"] = result.launches;
  section["notes"] = result.notes;
  section["rows"] = ReportData::array();
  std::size_t left_out = 0;
  for (const Comparison* comparison : ordered) {
    if (comparison->primary) primary.push_back(short_statement_of(*comparison, compare_options));
    ReportData& rows = section["rows"];
    auto row =
        std::ranges::find_if(rows, [&](const ReportData& each) { return same_question(each, *comparison); });
    if (row == rows.end()) {
      if (rows.size() >= kShownQuestions) {
        ++left_out;
        continue;
      }
      rows.push_back(question_row(table, comparison->kernel, comparison->model, comparison->condition,
                                  comparison->metric_index));
      row = std::prev(rows.end());
      (*row)["groups"] = (*row)["answers"] = ReportData::array();
      (*row)["primary"] = comparison->primary;
      (*row)["groups"].push_back(group_of(comparison->reference));
    }
    (*row)["groups"].push_back(group_of(comparison->other));
    (*row)["answers"].push_back(answer_of(*comparison));
  }
  note_left_out(section, left_out, "comparisons");
  return section;
}

/// Every launch as one group: what there is to see when nothing is compared.
ReportData all_launches(const Table& table) {
  Questions questions = launch_values(table);
  std::ranges::stable_partition(questions.questions, [&table](const Question& question) {
    const Metric& metric = table.metrics()[question.metric];
    return metric.is_rate() || metric.unit == "s";
  });
  ReportData section;
  section["factor"] = kEveryLaunch;
  section["reference"] = "";
  section["levels"] = {kEveryLaunch};
  section["launches"] = table.launches().size();
  section["notes"] = section["rows"] = ReportData::array();
  std::size_t left_out = 0;
  for (const Question& question : questions.questions) {
    if (section["rows"].size() >= kShownQuestions) {
      ++left_out;
      continue;
    }
    LevelSummary level;
    level.level = kEveryLaunch;
    level.launches = question.units.size();
    for (const Unit& unit : question.units) {
      level.values.push_back(unit.value);
      level.positions.push_back(table.launches()[unit.launch].position);
    }
    level.mean =
        table.metrics()[question.metric].is_rate() ? harmonic_mean(level.values) : mean(level.values);
    level.interval = {std::nan(""), std::nan("")};
    ReportData row =
        question_row(table, question.kernel, question.model, question.condition, question.metric);
    row["groups"] = row["answers"] = ReportData::array();
    row["groups"].push_back(group_of(level));
    section["rows"].push_back(std::move(row));
  }
  note_left_out(section, left_out, "metrics");
  return section;
}

/// At most kMostLevels + 1 of them; none where no launch says the factor.
std::set<std::string> levels_of(const Table& table, const std::string& factor) try {
  const FactorColumn column(table, factor);
  std::set<std::string> levels;
  for (const Series& series : table.series()) {
    if (const std::string& level = column.of(series); !level.empty()) levels.insert(level);
    if (levels.size() > kMostLevels) break;
  }
  return levels;
} catch (const UsageError&) {
  return {};
}

}  // namespace

ReportData question_row(const Table& table, const std::string& kernel, const std::string& model,
                        const std::string& condition, std::uint32_t index) {
  const Metric& metric = table.metrics()[index];
  ReportData row;
  row["kernel"] = kernel;
  row["model"] = model;
  row["condition"] = condition;
  row["metric"] = metric.name;
  row["unit"] = metric.unit;
  row["meaning"] = table.meaning(kernel, index);
  row["better"] = metric.better == results::Better::higher  ? "higher"
                  : metric.better == results::Better::lower ? "lower"
                                                            : "";
  return row;
}

double shown(double value) {
  if (value == 0 || !std::isfinite(value)) return value;
  const double scale = std::pow(10.0, 5 - std::floor(std::log10(std::abs(value))));
  return std::isfinite(scale) && scale > 0 ? std::round(value * scale) / scale : value;
}

std::vector<std::size_t> thinned(std::size_t count, std::size_t most) {
  std::vector<std::size_t> kept;
  const std::size_t shown_count = std::min(count, most);
  for (std::size_t i = 0; i < shown_count; ++i)
    kept.push_back(count <= most ? i : i * (count - 1) / (most - 1));
  return kept;
}

std::vector<std::string> factors_to_compare(const Table& table, const ReportOptions& options) {
  if (!options.factors.empty()) return options.factors;
  constexpr std::array<std::string_view, 9> kUseful = {"environment", "model", "device",       "host", "node",
                                                       "kernel",      "block", "memory_model", "study"};
  std::vector<std::string> candidates(kUseful.begin(), kUseful.end());
  for (const Point& point : table.points()) {
    for (const auto& [name, value] : point.parameters) {
      if (std::ranges::find(candidates, name) == candidates.end()) candidates.push_back(name);
    }
  }
  const std::vector<std::string> known = factors_of(table);
  const std::size_t most = std::clamp<std::size_t>(
      kWorkOfFactors / std::max<std::size_t>(1, table.launches().size()), 1, kMostFactors);
  std::vector<std::string> factors;
  for (const std::string& name : candidates) {
    if (factors.size() >= most || name == "kernel" || std::ranges::find(known, name) == known.end()) continue;
    const std::set<std::string> levels = levels_of(table, name);
    if (levels.size() >= 2 && levels.size() <= kMostLevels) factors.push_back(name);
  }
  return factors;
}

ReportData comparisons(const Table& table, std::span<const std::string> factors, const ReportOptions& options,
                       std::vector<Statement>& primary) {
  ReportData sections = ReportData::array();
  for (const std::string& factor : factors) {
    try {
      ReportData section = compared_by(table, factor, options, primary);
      if (!section["rows"].empty()) sections.push_back(std::move(section));
    } catch (const UsageError&) {
      if (!options.factors.empty()) throw;  // asked for: the reader must learn why not
    }
  }
  if (ReportData everything = all_launches(table); !everything["rows"].empty())
    sections.push_back(std::move(everything));
  return sections.empty() ? ReportData() : sections;
}

ReportData audited(const Table& table, const ReportOptions& options) {
  const AuditReport report = audit(table, options.audit);
  ReportData section;
  section["findings"] = section["checks"] = ReportData::array();
  for (const Finding& finding : report.findings)
    section["findings"].push_back({{"check", finding.check},
                                   {"what", finding.what},
                                   {"evidence", finding.evidence},
                                   {"sure", finding.sure},
                                   {"advice", finding.advice}});
  for (const CheckOutcome& check : report.checks)
    section["checks"].push_back({{"check", check.name},
                                 {"question", check.question},
                                 {"findings", check.findings},
                                 {"not_possible", check.not_possible}});
  section["notes"] = {fmt::format(
      "The {} p values are corrected together (Holm): a study without fault gives a finding that rests on "
      "them in at most {:.3g} % of cases.",
      report.tests, 100 * report.level)};
  return section;
}

}  // namespace sparkmpi::analysis::report
