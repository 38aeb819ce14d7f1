#pragma once
// A result file for a terminal of 80 columns.

#include <cstdio>
#include <string>

#include "results/reader.hpp"

namespace sparkmpi::cli {

struct SummaryOptions {
  bool all = false;       ///< every metric and ledger, not only those a person compares
  bool per_rank = false;  ///< every metric on every rank
};

void print_summary(std::FILE* out, const results::ResultFile& file, const SummaryOptions& options);

/// "footprint=1048576 operation=all"
std::string parameters_text(const results::Point& point);

}  // namespace sparkmpi::cli
