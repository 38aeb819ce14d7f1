#pragma once
// `sparkmpi export FILES`: the table of observations.

#include <string>
#include <vector>

namespace sparkmpi::cli {

/// Returns the exit status. Throws UsageError or Error.
int export_command(const std::vector<std::string>& arguments);

}  // namespace sparkmpi::cli
