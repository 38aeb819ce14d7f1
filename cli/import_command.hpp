#pragma once
// `sparkmpi import FILES`: other programs' results as a table.

#include <string>
#include <vector>

namespace sparkmpi::cli {

/// Returns the exit status. Throws UsageError or Error.
int import_command(const std::vector<std::string>& arguments);

}  // namespace sparkmpi::cli
