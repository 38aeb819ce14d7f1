#pragma once
// The charge matrix for people, and in full for programs.

#include <cstdio>

#include "cli/output_format.hpp"
#include "results/reader.hpp"

namespace sparkmpi::cli {

/// Prints a matrix for each rank of a point of `charge`, computed from its raw changes: rows are allocators,
/// columns ledgers, cells slope ± half its 95 % interval; then the verdicts. Nothing for other kernels.
void print_charge(std::FILE* out, const results::StoredKernel& kernel);

/// Every charge of the file: one row for each point, rank, allocator, step and ledger.
Rows charge_rows(const results::ResultFile& file);

}  // namespace sparkmpi::cli
