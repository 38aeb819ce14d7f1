#pragma once
// `sparkmpi report FILES`.

#include <string>
#include <vector>

namespace sparkmpi::cli {

/// Returns the exit status. Throws UsageError or Error.
int report_command(const std::vector<std::string>& arguments);

}  // namespace sparkmpi::cli
