#pragma once
// Long lines for a terminal of 80 columns.

#include <cstdio>
#include <string_view>

namespace sparkmpi::cli {

/// Breaks at blanks; each line starts with `indent`. A word that is longer than a line stays whole.
void print_wrapped(std::FILE* out, std::string_view text, std::string_view indent);

}  // namespace sparkmpi::cli
