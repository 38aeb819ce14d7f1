#pragma once
// Sentences for a terminal of 80 columns.

#include <cstdio>
#include <string_view>

namespace sparkmpi::cli {

/// Prints `text` in lines of at most 80 characters that start with `indent`, broken at blanks.
/// @param hanging blanks more at the start of every line but the first.
void print_wrapped(std::FILE* out, std::string_view text, std::string_view indent, std::size_t hanging = 0);

}  // namespace sparkmpi::cli
