#pragma once
// Words out of one line, as a person quotes them.

#include <string>
#include <string_view>
#include <vector>

namespace sparkmpi {

/// Divides a line at blanks as a POSIX shell does (Shell Command Language, 2.2 "Quoting"): quotes of either
/// kind and backslashes protect what they protect there, and nothing else is special. The inverse of
/// shell_text(). Throws UsageError for a quote that does not end.
std::vector<std::string> shell_words(std::string_view line);

}  // namespace sparkmpi
