#pragma once
// The table of observations onto stdout or into a file.

#include <string>

#include "analysis/table.hpp"
#include "cli/output_format.hpp"

namespace sparkmpi::cli {

/// @param path empty: stdout. A file is not overwritten without `force` and is complete or not there. Throws
/// UsageError for a file that exists and for the format table, Error when writing fails.
void write_observations(const analysis::Table& table, OutputFormat format, const std::string& path,
                        bool force);

}  // namespace sparkmpi::cli
