#pragma once
// `sparkmpi hostfile`.

#include <string>
#include <vector>

namespace sparkmpi::cli {

/// Returns 0 when every host answers and none differs, 1 otherwise.
int hostfile_command(const std::vector<std::string>& arguments);

}  // namespace sparkmpi::cli
