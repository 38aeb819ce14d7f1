#pragma once
// `sparkmpi scale FILES`.

#include <string>
#include <vector>

namespace sparkmpi::cli {

/// Returns the exit status. Throws UsageError or Error.
int scale_command(const std::vector<std::string>& arguments);

}  // namespace sparkmpi::cli
