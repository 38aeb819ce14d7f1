#pragma once
// Sentences for a terminal of 80 columns.

#include <cstdio>
#include <string_view>

namespace sparkmpi::cli {

/// Prints `text` in lines of at most 80 characters that start with `indent`, broken at blanks.
void print_wrapped(std::FILE* out, std::string_view text, std::string_view indent);

}  // namespace sparkmpi::cli
