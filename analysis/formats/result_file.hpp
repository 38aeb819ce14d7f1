#pragma once
// sparkmpi's own result files as observations.

#include <filesystem>

#include "analysis/load.hpp"

namespace sparkmpi::analysis {

/// Adds one launch, loading only what `options` asks for. Throws UsageError or Error as results::read_result
/// does; the table is then as before.
void add_result_file(const std::filesystem::path& path, const LoadOptions& options, Table& table);

}  // namespace sparkmpi::analysis
