#pragma once
// `sparkmpi enclose`, which mpirun starts in place of each rank: hidden from the help.

#include <string>
#include <vector>

namespace sparkmpi::cli {

/// Becomes another program; returns only after --help or --dry-run.
int enclose_command(const std::vector<std::string>& arguments);

}  // namespace sparkmpi::cli
