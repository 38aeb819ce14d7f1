#include "cli/wrapped_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace sparkmpi::cli {
namespace {

constexpr std::size_t kWidth = 80;

}  // namespace

void print_wrapped(std::FILE* out, std::string_view text, std::string_view indent) {
  std::string line(indent);
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (line.size() + 1 + end > kWidth && line.size() > indent.size()) {
      fmt::print(out, "{}\n", line);
      line = indent;
    }
    line += (line.size() > indent.size() ? " " : "") + std::string(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  fmt::print(out, "{}\n", line);
}

}  // namespace sparkmpi::cli
