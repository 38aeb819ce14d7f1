#pragma once
// Text for a terminal of 80 columns, with colour where the reader's terminal has it and nothing lost where
// not.

#include <cstdio>
#include <string>
#include <string_view>

namespace sparkmpi::cli {

inline constexpr std::size_t kTerminalWidth = 80;

enum class Tone : std::uint8_t { strong, faint, good, bad, unsure };

class Terminal {
 public:
  /// Colour when `out` is a terminal, $NO_COLOR is not set and $TERM is not "dumb".
  explicit Terminal(std::FILE* out);

  void print(std::string_view text) const;
  /// Words broken at 80 columns; the first line begins with `first`, the others with `indent`.
  void print_wrapped(std::string_view text, std::string_view first, std::string_view indent) const;
  std::string toned(std::string_view text, Tone tone) const;

 private:
  std::FILE* out_;
  bool colour_;
};

/// Control characters as "?": names from files must not steer the reader's terminal.
std::string printable(std::string_view text);
/// `text` in exactly `width` columns, cut with "…" where it is longer.
std::string fitted(std::string_view text, std::size_t width);
/// The columns that UTF-8 text takes, one for each code point and none for tones.
std::size_t columns_of(std::string_view text);

}  // namespace sparkmpi::cli
