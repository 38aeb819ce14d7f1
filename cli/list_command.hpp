#pragma once
// `sparkmpi list kernels|models|metrics|ledgers|devices|environments`.

#include <string>
#include <vector>

namespace sparkmpi::cli {

/// Returns the exit status. Throws UsageError.
int list_command(const std::vector<std::string>& arguments);

}  // namespace sparkmpi::cli
