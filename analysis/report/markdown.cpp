#include <fmt/format.h>

#include "analysis/compare_sentence.hpp"
#include "analysis/report/report.hpp"
#include "analysis/scale_sentence.hpp"

namespace sparkmpi::analysis {
namespace {

/// Text of a file as plain text: no markup, no new cell, no new line.
std::string plain(const std::string& text) {
  std::string escaped;
  for (const char letter : text) {
    if (std::string_view("\\`*_[]<>|#").find(letter) != std::string_view::npos) escaped += '\\';
    escaped += static_cast<unsigned char>(letter) < 0x20 ? ' ' : letter;
  }
  return escaped;
}

std::string plain(const ReportData& value) {
  return plain(value.get<std::string>());
}

double number(const ReportData& value) {
  return value.is_number() ? value.get<double>() : std::numeric_limits<double>::quiet_NaN();
}

std::string cell(const ReportData& value, std::string_view unit) {
  return plain(precise(number(value), unit));
}

void add_notes(std::string& text, const ReportData& section) {
  for (const ReportData& note : section.value("notes", ReportData::array()))
    text += fmt::format("- {}\n", plain(note));
}

std::string name_of(const ReportData& row) {
  std::string name = row["metric"].get<std::string>();
  for (const char* part : {"kernel", "model", "condition"}) {
    if (const std::string text = row[part]; !text.empty()) name += ", " + text;
  }
  return plain(name);
}

void add_comparison(std::string& text, const ReportData& comparison) {
  text += fmt::format(
      "\n## By {}\n\n| metric | level | launches | mean | 95 % interval |\n| --- | --- | --- | --- | --- |\n",
      plain(comparison["factor"]));
  for (const ReportData& row : comparison["rows"]) {
    const std::string unit = row["unit"];
    for (const ReportData& group : row["groups"])
      text += fmt::format("| {} | {} | {} | {} | {} .. {} |\n", name_of(row), plain(group["level"]),
                          group["launches"].get<std::size_t>(), cell(group["mean"], unit),
                          cell(group["low"], unit), cell(group["high"], unit));
  }
  text += '\n';
  for (const ReportData& row : comparison["rows"]) {
    for (const ReportData& answer : row["answers"]) text += fmt::format("- {}\n", plain(answer["sentence"]));
  }
  add_notes(text, comparison);
}

void add_charge(std::string& text, const ReportData& section) {
  text += "\n## Charge\n\nBytes by which a ledger moved for each byte that was allocated and touched.\n";
  for (const ReportData& item : section["items"]) {
    text += fmt::format(
        "\n{}, rank {}\n\n| allocator | ledger | charge | half width |\n| --- | --- | --- | --- |\n",
        plain(item["file"]), item["rank"].get<int>());
    for (const ReportData& each : item["cells"])
      text += fmt::format("| {} | {} | {:.3f} | {:.3f} |\n", plain(each["allocator"]), plain(each["ledger"]),
                          number(each["slope"]), number(each["half_width"]));
  }
  add_notes(text, section);
}

void add_balance(std::string& text, const ReportData& section) {
  text += "\n## Byte balance\n\nWhat each use of memory did to MemFree.\n";
  for (const ReportData& item : section["items"]) {
    text += fmt::format("\n{}, {} on {}, {} to {}\n\n| term | change |\n| --- | --- |\n", plain(item["file"]),
                        plain(item["kernel"]), plain(item["host"]), plain(item["from"]), plain(item["to"]));
    for (const ReportData& term : item["terms"])
      text += fmt::format("| {} | {} |\n", plain(term["name"]), cell(term["change"], "B"));
    text += fmt::format("| residual | {} |\n| MemFree | {} |\n", cell(item["residual"], "B"),
                        cell(item["free_change"], "B"));
  }
  add_notes(text, section);
}

void add_budgets(std::string& text, const ReportData& section) {
  text += "\n## KV budget\n";
  for (const ReportData& item : section["items"]) {
    text += fmt::format(
        "\n{}, {}, rank {}\n\n| rule | pool | page cache injected | budget | status |\n"
        "| --- | --- | --- | --- | --- |\n",
        plain(item["file"]), plain(item["model"]), item["rank"].get<int>());
    for (const ReportData& budget : item["budgets"])
      text += fmt::format("| {} | {} | {} | {} | {} |\n", plain(budget["rule"]), plain(budget["pool"]),
                          cell(budget["injected"], "B"), cell(budget["bytes"], "B"), plain(budget["status"]));
  }
  add_notes(text, section);
}

void add_scaling(std::string& text, const ReportData& section) {
  text += "\n## Scaling\n";
  for (const ReportData& kind : section["kinds"]) {
    text += fmt::format(
        "\n### {}\n\n{}\n\n| metric | {} | launches | value | speed-up | efficiency | 95 % interval |\n"
        "| --- | --- | --- | --- | --- | --- | --- |\n",
        plain(kind["title"]), plain(kind["meaning"]), plain(kind["over"]));
    for (const ReportData& curve : kind["curves"]) {
      for (const ReportData& point : curve["points"]) {
        const ReportData& interval = point["efficiency_interval"];
        text += fmt::format("| {} | {} | {} | {} | {:.2f} | {} | {} |\n", name_of(curve),
                            number(point["size"]), point["launches"].get<std::size_t>(),
                            cell(point["value"], curve["unit"].get<std::string>()), number(point["speedup"]),
                            share_text(number(point["efficiency"])),
                            share_text(Interval{number(interval[0]), number(interval[1])}));
      }
    }
    text += '\n';
    for (const ReportData& curve : kind["curves"]) {
      if (const std::string sentence = curve["fit"]["sentence"]; !sentence.empty())
        text += fmt::format("- {}: {}\n", name_of(curve), plain(sentence));
    }
    add_notes(text, kind);
  }
  if (!section["standouts"].empty()) text += '\n';
  for (const ReportData& standout : section["standouts"]) text += fmt::format("- {}\n", plain(standout));
}

void add_audit(std::string& text, const ReportData& section) {
  text += "\n## Audit\n\n";
  for (const ReportData& finding : section["findings"])
    text += fmt::format("- **{}** {} ({}). {}\n", plain(finding["what"]), plain(finding["evidence"]),
                        plain(finding["sure"]), plain(finding["advice"]));
  text += "\n| check | question | findings |\n| --- | --- | --- |\n";
  for (const ReportData& check : section["checks"]) {
    const std::string reason = plain(check["not_possible"]);
    const auto count = check["findings"].get<std::size_t>();
    text += fmt::format("| {} | {} | {} |\n", plain(check["check"]), plain(check["question"]),
                        count == 0 && !reason.empty() ? "not possible: " + reason : fmt::format("{}", count));
  }
  text += '\n';
  add_notes(text, section);
}

void add_provenance(std::string& text, const ReportData& section) {
  text += "\n## Provenance\n\n| fact | value |\n| --- | --- |\n";
  for (const ReportData& fact : section["shared"])
    text += fmt::format("| {} | {} |\n", plain(fact["name"]), plain(fact["value"]));
  if (!section["columns"].empty()) {
    text += "\nWhat differs between launches:\n\n|";
    for (const ReportData& column : section["columns"]) text += fmt::format(" {} |", plain(column));
    text += "\n|";
    for (std::size_t i = 0; i < section["columns"].size(); ++i) text += " --- |";
    text += '\n';
    for (const ReportData& launch : section["launches"]) {
      text += '|';
      for (const ReportData& value : launch) text += fmt::format(" {} |", plain(value));
      text += '\n';
    }
  }
  add_notes(text, section);
}

}  // namespace

std::string report_markdown(const ReportData& data) {
  const ReportData& overview = data["overview"];
  std::string text = fmt::format("# {}\n\n{}. Made by {}.\n\n", plain(data["title"]),
                                 plain(overview["summary"]), plain(data["program"]));
  for (const ReportData& answer : overview["answers"])
    text += fmt::format("- {}\n", plain(answer["sentence"]));
  for (const ReportData& finding : overview["findings"]) text += fmt::format("- Audit: {}\n", plain(finding));
  add_notes(text, overview);
  if (data.contains("comparisons")) {
    for (const ReportData& comparison : data["comparisons"]) add_comparison(text, comparison);
  }
  constexpr std::pair<const char*, void (*)(std::string&, const ReportData&)> kSections[] = {
      {"charge", add_charge},   {"balance", add_balance}, {"kv", add_budgets},
      {"scaling", add_scaling}, {"audit", add_audit},     {"provenance", add_provenance}};
  for (const auto& [name, add] : kSections) {
    if (data.contains(name)) add(text, data[name]);
  }
  return text;
}

}  // namespace sparkmpi::analysis
