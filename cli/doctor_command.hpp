#pragma once
// `sparkmpi doctor`.

#include <string>
#include <vector>

namespace sparkmpi::cli {

/// Returns 0 when a run would work here, 1 when it would not.
int doctor_command(const std::vector<std::string>& arguments);

}  // namespace sparkmpi::cli
