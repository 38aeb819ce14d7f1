#pragma once
// `sparkmpi charge-cell`: the child process of one cell of `charge`. Not in any help text, since nobody types
// it.

#include <string>
#include <vector>

namespace sparkmpi::cli {

/// Returns the exit status. Throws UsageError.
int charge_cell_command(const std::vector<std::string>& arguments);

}  // namespace sparkmpi::cli
