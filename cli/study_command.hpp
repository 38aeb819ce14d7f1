#pragma once
// `sparkmpi study PLAN`.

#include <string>
#include <vector>

namespace sparkmpi::cli {

/// Returns the exit status: 0 when every trial is done, 1 when one failed, 128 + signal when interrupted.
int study_command(const std::vector<std::string>& arguments);

}  // namespace sparkmpi::cli
