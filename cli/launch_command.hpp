#pragma once
// `sparkmpi launch ENV -np N … -- ARGS`.

#include <string>
#include <vector>

namespace sparkmpi::cli {

/// Becomes another program; returns only after --help or --dry-run.
int launch_command(const std::vector<std::string>& arguments);

}  // namespace sparkmpi::cli
