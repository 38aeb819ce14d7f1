#pragma once
// `sparkmpi compare FILES --by FACTOR`.

#include <string>
#include <vector>

namespace sparkmpi::cli {

/// Returns the exit status. Throws UsageError or Error.
int compare_command(const std::vector<std::string>& arguments);

}  // namespace sparkmpi::cli
