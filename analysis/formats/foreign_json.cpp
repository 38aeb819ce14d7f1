#include "analysis/formats/foreign_json.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/error.hpp"

namespace sparkmpi::analysis {
namespace {

using nlohmann::json;

json parse_lines(const std::string& text) {
  json list = json::array();
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    json each = json::parse(line, nullptr, false);
    if (each.is_discarded()) return json(json::value_t::discarded);
    list.push_back(std::move(each));
  }
  return list;
}

json parse(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) throw Error(fmt::format("{}: cannot be read", path.string()));
  json document = json::parse(text.str(), nullptr, false);
  if (document.is_discarded()) document = parse_lines(text.str());
  if (document.is_discarded())
    throw UsageError(fmt::format("{}: is no complete JSON; was it cut short?", path.string()));
  return document;
}

bool all_digits(std::string_view text) {
  return text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

std::span<const ForeignFormat> foreign_formats() {
  static const std::array kFormats = {kTrialRuns, kLlamaBench, kNcclTests, kNvbandwidth, kTrtllmBench};
  return kFormats;
}

void read_foreign_json(const std::filesystem::path& path, Table& table) {
  const json document = parse(path);
  for (const ForeignFormat& format : foreign_formats()) {
    if (!format.recognises(document)) continue;
    try {
      add_staged(format.launches(document, path), table);
    } catch (const json::exception& error) {
      throw UsageError(
          fmt::format("{}: looks like {} but is not: {}", path.string(), format.name, error.what()));
    }
    return;
  }
  std::string names;
  for (const ForeignFormat& format : foreign_formats())
    names += fmt::format("{}{}", names.empty() ? "" : ", ", format.name);
  throw UsageError(fmt::format("{}: is JSON of no known format (known: {})", path.string(), names));
}

double number_of(const json& value) {
  if (value.is_number()) return value.get<double>();
  if (!value.is_string()) return std::numeric_limits<double>::quiet_NaN();
  const std::string text = value.get<std::string>();
  double number = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = status == std::errc{} && end == text.data() + text.size();
  return whole ? number : std::numeric_limits<double>::quiet_NaN();
}

std::string iso_time(std::string_view text) {
  if (text.size() == 15 && text[8] == '_' && all_digits(text.substr(0, 8)) && all_digits(text.substr(9))) {
    return fmt::format("{}-{}-{}T{}:{}:{}Z", text.substr(0, 4), text.substr(4, 2), text.substr(6, 2),
                       text.substr(9, 2), text.substr(11, 2), text.substr(13, 2));
  }
  if (text.size() == 19 && text[10] == ' ') return fmt::format("{}T{}Z", text.substr(0, 10), text.substr(11));
  return std::string(text);
}

}  // namespace sparkmpi::analysis
