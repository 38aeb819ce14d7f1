#pragma once
// The hidden sub-command that the kernel `pressure` starts itself as: the child that takes the memory.

#include <string>
#include <vector>

namespace sparkmpi::cli {

/// Returns the exit status. Throws UsageError or Error, as when a person types it.
int pressure_child_command(const std::vector<std::string>& arguments);

}  // namespace sparkmpi::cli
