#include "cli/terminal.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

namespace sparkmpi::cli {
namespace {

bool continues(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

const char* code_of(Tone tone) {
  switch (tone) {
    case Tone::strong:
      return "\x1b[1m";
    case Tone::faint:
      return "\x1b[2m";
    case Tone::good:
      return "\x1b[32m";
    case Tone::bad:
      return "\x1b[31m";
    case Tone::unsure:
      return "\x1b[33m";
  }
  return "";
}

}  // namespace

Terminal::Terminal(std::FILE* out) : out_(out) {
  const char* const term = std::getenv("TERM");
  const char* const no_colour = std::getenv("NO_COLOR");
  colour_ = isatty(fileno(out)) == 1 && (no_colour == nullptr || *no_colour == '\0') && term != nullptr &&
            std::string_view(term) != "dumb";
}

void Terminal::print(std::string_view text) const {
  fmt::print(out_, "{}", text);
}

void Terminal::print_wrapped(std::string_view given, std::string_view first, std::string_view indent) const {
  const std::string whole = printable(given);
  std::string_view text = whole;
  std::string line(first);
  std::size_t words = 0;
  while (!text.empty()) {
    std::size_t end = std::min(text.find(' '), text.size());
    while (end + 1 < text.size() && text[end + 1] == '%')
      end = std::min(text.find(' ', end + 1), text.size());
    const std::string_view word = text.substr(0, end);
    if (words > 0 && columns_of(line) + 1 + columns_of(word) > kTerminalWidth) {
      fmt::print(out_, "{}\n", line);
      line = indent;
      words = 0;
    }
    line += words > 0 ? " " : "";
    line += word;
    ++words;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  fmt::print(out_, "{}\n", line);
}

std::string Terminal::toned(std::string_view text, Tone tone) const {
  return colour_ ? fmt::format("{}{}\x1b[0m", code_of(tone), text) : std::string(text);
}

std::size_t columns_of(std::string_view text) {
  std::size_t columns = 0;
  bool in_tone = false;  // from the escape character to the "m" that ends it
  for (const char c : text) {
    in_tone = in_tone || c == '\x1b';
    columns += in_tone || continues(c) ? 0 : 1;
    in_tone = in_tone && c != 'm';
  }
  return columns;
}

std::string printable(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return out;
}

std::string fitted(std::string_view given, std::size_t width) {
  const std::string text = printable(given);
  std::string out;
  const bool cut = columns_of(text) > width;
  std::size_t columns = 0;
  for (const char c : text) {
    if (!continues(c) && columns++ == width - (cut ? 1 : 0)) break;
    out += c;
  }
  if (cut) return out + "…";
  return out + std::string(width - columns, ' ');
}

}  // namespace sparkmpi::cli
