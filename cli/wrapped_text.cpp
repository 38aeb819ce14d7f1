#include "cli/wrapped_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace sparkmpi::cli {

void print_wrapped(std::FILE* out, std::string_view text, std::string_view indent, std::size_t hanging) {
  constexpr std::size_t kWidth = 80;
  std::string line(indent), start = line;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (line.size() + 1 + end > kWidth && line.size() > start.size()) {
      fmt::print(out, "{}\n", line);
      start = std::string(indent) + std::string(hanging, ' ');
      line = start;
    }
    line += (line.size() > start.size() ? " " : "") + std::string(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  fmt::print(out, "{}\n", line);
}

}  // namespace sparkmpi::cli
