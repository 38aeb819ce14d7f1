#pragma once
// Where memory went in a point of a result file, for a terminal and as rows.

#include <cstdio>

#include "cli/output_format.hpp"
#include "results/reader.hpp"

namespace sparkmpi::cli {

/// The declared state of the page cache and whether it was verified, and files whose content is there twice.
/// Nothing for a cache that was kept and files that are there once.
void print_cache_state(std::FILE* out, const results::StoredKernel& kernel);

/// MemFree by field for each node: from before the kernel to after it, and to the named moment with the least
/// MemFree. @param all every moment and every field; otherwise fields below 1 MiB are one row.
void print_balances(std::FILE* out, const results::ResultFile& file, const results::StoredKernel& kernel,
                    bool all);

/// One row for each point, node, moment and field, with the change of MemFree and the residual among them.
Rows balance_rows(const results::ResultFile& file);

/// The table of `kv_budget`, for one rank; nothing for other kernels.
void print_kv_budgets(std::FILE* out, const results::StoredKernel& kernel, std::size_t rank);

}  // namespace sparkmpi::cli
