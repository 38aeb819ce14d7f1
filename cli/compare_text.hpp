#pragma once
// A comparison for a terminal, and as rows.

#include "analysis/compare.hpp"
#include "cli/output_format.hpp"
#include "cli/terminal.hpp"

namespace sparkmpi::cli {

void print_comparison(const Terminal& terminal, const analysis::CompareResult& result);

/// One row for each comparison, with every statistic.
Rows comparison_rows(const analysis::CompareResult& result);

}  // namespace sparkmpi::cli
