#pragma once
// Rows of text as a table, as CSV or as JSON.

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace sparkmpi::cli {

enum class OutputFormat : std::uint8_t { table, csv, json };

/// Throws UsageError for an unknown word.
OutputFormat parse_output_format(std::string_view word);

struct Rows {
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;  ///< each as long as the header
};

/// CSV by RFC 4180; JSON as a list of objects whose values are numbers where the text is one.
void print_rows(std::FILE* out, const Rows& rows, OutputFormat format);

}  // namespace sparkmpi::cli
