#pragma once
// The page's parts, embedded by CMake from analysis/report/assets and from the chart library's package.

#include <string_view>

namespace sparkmpi::analysis::report {

struct Assets {
  std::string_view page;    ///< HTML with the places @TITLE@, @STYLE@, @LIBRARY@, @LICENCE@, @DATA@, @SCRIPT@
  std::string_view style;   ///< CSS
  std::string_view script;  ///< the page's own JavaScript
  std::string_view library;  ///< d3, minified
  std::string_view licence;  ///< of the library
};
const Assets& assets();

}  // namespace sparkmpi::analysis::report
