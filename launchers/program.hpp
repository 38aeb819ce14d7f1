#pragma once
// Where this program is.

#include <string>

namespace sparkmpi::launchers {

/// The absolute path of the running program. Throws Error without /proc.
std::string program_path();

}  // namespace sparkmpi::launchers
