#pragma once
// `sparkmpi audit FILES`.

#include <string>
#include <vector>

namespace sparkmpi::cli {

/// Returns the exit status: 1 when there are findings. Throws UsageError or Error.
int audit_command(const std::vector<std::string>& arguments);

}  // namespace sparkmpi::cli
