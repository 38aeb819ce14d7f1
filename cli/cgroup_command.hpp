#pragma once
// `sparkmpi cgroup`: a command in a memory cgroup of its own.

#include <string>
#include <vector>

namespace sparkmpi::cli {

/// Becomes another program; returns only after --help or --dry-run.
int cgroup_command(const std::vector<std::string>& arguments);

}  // namespace sparkmpi::cli
