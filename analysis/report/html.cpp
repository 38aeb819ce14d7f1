#include <array>
#include <utility>

#include "analysis/report/assets.hpp"
#include "analysis/report/report.hpp"

namespace sparkmpi::analysis {
namespace {

/// "<" never reaches the page inside of data: no text of a file can end the block or begin a tag.
std::string escaped_json(const ReportData& data) {
  const std::string plain = data.dump(-1, ' ', false, ReportData::error_handler_t::replace);
  std::string escaped;
  escaped.reserve(plain.size());
  for (const char letter : plain) {
    if (letter == '<') {
      escaped += "\\u003c";
    } else {
      escaped += letter;
    }
  }
  return escaped;
}

std::string escaped_text(std::string_view text) {
  std::string escaped;
  for (const char letter : text) {
    switch (letter) {
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '&':
        escaped += "&amp;";
        break;
      default:
        escaped += letter;
    }
  }
  return escaped;
}

}  // namespace

std::string report_html(const ReportData& data) {
  const report::Assets& assets = report::assets();
  const std::string title = escaped_text(data.value("title", std::string())), json = escaped_json(data),
                    licence = escaped_text(assets.licence);
  const std::array<std::pair<std::string_view, std::string_view>, 6> places = {{{"@TITLE@", title},
                                                                                {"@STYLE@", assets.style},
                                                                                {"@LICENCE@", licence},
                                                                                {"@LIBRARY@", assets.library},
                                                                                {"@DATA@", json},
                                                                                {"@SCRIPT@", assets.script}}};
  std::string page;
  std::string_view rest = assets.page;
  // In the order of the template, so that nothing that was put in is searched again.
  for (const auto& [place, text] : places) {
    const std::size_t at = rest.find(place);
    page.append(rest.substr(0, at)).append(text);
    rest.remove_prefix(at + place.size());
  }
  return page.append(rest);
}

}  // namespace sparkmpi::analysis
