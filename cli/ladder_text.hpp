#pragma once
// What `pressure` found, for a terminal of 80 columns.

#include <cstdio>

#include "results/reader.hpp"

namespace sparkmpi::cli {

/// One line a rank: what was granted, what was refused and by what; then how reading fared on rank 0 on the
/// way up. Prints nothing for a kernel that climbed no ladder.
void print_ladder(std::FILE* out, const results::StoredKernel& kernel);

}  // namespace sparkmpi::cli
