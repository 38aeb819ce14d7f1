#pragma once
// Files, studies and directories into one table of observations.

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "analysis/table.hpp"

namespace sparkmpi::analysis {

struct LoadOptions {
  bool keep_samples = false;         ///< raw samples, for export
  bool all_metrics = false;          ///< also time stamps and counters that nobody compares
  std::vector<std::string> metrics;  ///< only these; empty: those that are compared
  bool mixed = false;                ///< devices of different memory models in one table
  Factors set;                       ///< facts given to every launch, over what its file says
};

struct Loaded {
  Table table;
  std::vector<std::string> problems;  ///< one line each: files and metrics that were left out, and why
  std::size_t files = 0;              ///< read
};

/// Reads result files, tidy CSV and the JSON of other programs (formats/), each recognised by its content;
/// directories are searched for *.h5, *.hdf5, *.json, *.jsonl and *.csv in the order of their names. A file
/// that can't be read becomes a problem and the others are still read. Throws UsageError when no file could
/// be read, and when memory models are mixed without `mixed`.
Loaded load(std::span<const std::filesystem::path> paths, const LoadOptions& options);

}  // namespace sparkmpi::analysis
