#pragma once
// `sparkmpi show FILE`.

#include <string>
#include <vector>

namespace sparkmpi::cli {

/// Returns the exit status. Throws UsageError or Error.
int show_command(const std::vector<std::string>& arguments);

}  // namespace sparkmpi::cli
