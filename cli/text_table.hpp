#pragma once
// Tables of numbers for a terminal of 80 columns.

#include <string>
#include <vector>

#include "cli/terminal.hpp"

namespace sparkmpi::cli {

struct TextColumn {
  std::string heading;
  std::size_t width = 0;  ///< with the blank before it; the last column may be 0: as wide as its text
  bool left = false;      ///< text; numbers stand at the right
};

/// Cells that are too wide are cut with "…", so that columns stay below each other.
class TextTable {
 public:
  TextTable(const Terminal& terminal, std::vector<TextColumn> columns)
      : terminal_(terminal), columns_(std::move(columns)) {}

  void print_header() const;
  /// Fewer cells than columns: the rest of the line is empty.
  void print_row(const std::vector<std::string>& cells) const;
  /// With the last cell in `tone`.
  void print_row(const std::vector<std::string>& cells, Tone tone) const;

 private:
  std::string cell(std::size_t column, const std::string& text) const;

  const Terminal& terminal_;
  std::vector<TextColumn> columns_;
};

}  // namespace sparkmpi::cli
