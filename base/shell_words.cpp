#include "base/shell_words.hpp"

#include "base/error.hpp"

namespace sparkmpi {

std::vector<std::string> shell_words(std::string_view line) {
  std::vector<std::string> words;
  bool in_word = false;
  char quote = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote == 0 && (c == ' ' || c == '\t')) {
      in_word = false;
      continue;
    }
    if (!in_word) words.emplace_back();
    in_word = true;
    if (quote == 0 && (c == '\'' || c == '"')) {
      quote = c;
    } else if (c == quote) {
      quote = 0;
    } else if (c == '\\' && quote != '\'') {
      if (i + 1 == line.size()) throw UsageError("a backslash stands at the end of: " + std::string(line));
      const char next = line[i + 1];
      const bool special = quote == 0 || next == '"' || next == '\\' || next == '$' || next == '`';
      if (!special) words.back() += c;
      words.back() += next;
      ++i;
    } else {
      words.back() += c;
    }
  }
  if (quote != 0) throw UsageError(std::string("a ") + quote + " does not end in: " + std::string(line));
  return words;
}

}  // namespace sparkmpi
