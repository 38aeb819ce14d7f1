#pragma once
// A result file in one line a point: what a person looks at first.

#include <cstdio>

#include "results/reader.hpp"

namespace sparkmpi::cli {

/// For each point the parameters by which it differs from its kernel's other points, its kernel's headline
/// metric (median of all ranks' samples, and the range of the ranks' medians), and what is incomplete.
/// Kernels that this program does not know have no headline.
void print_overview(std::FILE* out, const results::ResultFile& file);

}  // namespace sparkmpi::cli
