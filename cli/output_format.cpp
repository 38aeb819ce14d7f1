#include "cli/output_format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/error.hpp"

namespace sparkmpi::cli {
namespace {

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

nlohmann::ordered_json json_value(const std::string& text) {
  double number = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (!text.empty() && status == std::errc{} && end == text.data() + text.size()) {
    const nlohmann::ordered_json parsed = nlohmann::ordered_json::parse(text, nullptr, false);
    return parsed.is_discarded() ? nlohmann::ordered_json(nullptr) : parsed;  // nan and inf are no JSON
  }
  return text;
}

void print_table(std::FILE* out, const Rows& rows) {
  std::vector<std::size_t> widths;
  for (const std::string& name : rows.header) widths.push_back(name.size());
  for (const auto& row : rows.rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  const auto line = [&](const std::vector<std::string>& row) {
    std::string text;
    for (std::size_t i = 0; i < row.size(); ++i)
      text += i + 1 == row.size() ? row[i] : fmt::format("{:<{}}  ", row[i], widths[i]);
    fmt::print(out, "{}\n", text);
  };
  line(rows.header);
  for (const auto& row : rows.rows) line(row);
}

}  // namespace

OutputFormat parse_output_format(std::string_view word) {
  if (word == "table") return OutputFormat::table;
  if (word == "csv") return OutputFormat::csv;
  if (word == "json") return OutputFormat::json;
  throw UsageError(fmt::format("--format: '{}' is none of table, csv, json", word));
}

void print_rows(std::FILE* out, const Rows& rows, OutputFormat format) {
  if (format == OutputFormat::table) return print_table(out, rows);
  if (format == OutputFormat::csv) {
    const auto line = [&](const std::vector<std::string>& row) {
      for (std::size_t i = 0; i < row.size(); ++i)
        fmt::print(out, "{}{}", i == 0 ? "" : ",", csv_cell(row[i]));
      fmt::print(out, "\n");
    };
    line(rows.header);
    for (const auto& row : rows.rows) line(row);
    return;
  }
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const auto& row : rows.rows) {
    nlohmann::ordered_json object;
    for (std::size_t i = 0; i < row.size(); ++i) object[rows.header[i]] = json_value(row[i]);
    all.push_back(std::move(object));
  }
  fmt::print(out, "{}\n", all.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

}  // namespace sparkmpi::cli
