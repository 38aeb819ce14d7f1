#pragma once
// What import, export, compare, scale and audit have in common: files in, problems to stderr.

#include "analysis/load.hpp"
#include "cli/parse_options.hpp"

namespace sparkmpi::cli {

/// --metric, --mixed, --help.
void add_input_options(boost::program_options::options_description& options);

/// Loads the named files; each problem is one line on stderr. Throws UsageError as analysis::load does.
analysis::Loaded load_input(const ParsedOptions& parsed, analysis::LoadOptions options = {});

/// The values of --metric, each split at commas.
std::vector<std::string> asked_metrics(const ParsedOptions& parsed);

}  // namespace sparkmpi::cli
