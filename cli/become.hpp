#pragma once
// The end of commands that turn into another program.

#include <string>
#include <vector>

namespace sparkmpi::cli {

/// The position of "--" in `arguments`, or their end.
std::vector<std::string>::const_iterator dashes_in(const std::vector<std::string>& arguments);

/// Replaces this process. Throws Error that names the program when there is none.
[[noreturn]] void become(const std::vector<std::string>& argv);

}  // namespace sparkmpi::cli
