#include "cli/text_table.hpp"

#include <fmt/format.h>

namespace sparkmpi::cli {

std::string TextTable::cell(std::size_t column, const std::string& given) const {
  const TextColumn& of = columns_[column];
  const std::string text = printable(given);
  if (of.width == 0) return " " + text;
  if (of.left || columns_of(text) >= of.width) return " " + fitted(text, of.width - 1);
  return std::string(of.width - columns_of(text), ' ') + text;
}

void TextTable::print_header() const {
  std::string line;
  for (std::size_t i = 0; i < columns_.size(); ++i) line += cell(i, columns_[i].heading);
  terminal_.print(terminal_.toned(line, Tone::faint) + "\n");
}

void TextTable::print_row(const std::vector<std::string>& cells) const {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) line += cell(i, cells[i]);
  line.erase(line.find_last_not_of(' ') + 1);
  terminal_.print(line + "\n");
}

void TextTable::print_row(const std::vector<std::string>& cells, Tone tone) const {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i)
    line += i + 1 < cells.size() ? cell(i, cells[i]) : terminal_.toned(cell(i, cells[i]), tone);
  terminal_.print(line + "\n");
}

}  // namespace sparkmpi::cli
