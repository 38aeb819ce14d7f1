#pragma once
// `sparkmpi rootfs create|extract|check|enter`.

#include <string>
#include <vector>

namespace sparkmpi::cli {

/// Returns the exit status; `enter` becomes another program and does not return.
int rootfs_command(const std::vector<std::string>& arguments);

}  // namespace sparkmpi::cli
