#pragma once
// The table as tidy CSV: one observation a line, one type a column, empty where unknown, so that pandas, R
// and Parquet writers take it as it is; and back.

#include <cstdio>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "analysis/table.hpp"

namespace sparkmpi::analysis {

/// The columns, in order. `parameters` and `facts` are "name=value" joined by ";" (a ";", "=" or "\" in them
/// is escaped by "\").
std::span<const std::string_view> tidy_columns();

/// Calls `row` with one text for each column, for every observation. The table must have kept its samples.
void for_each_observation(const Table& table, const std::function<void(std::span<const std::string>)>& row);

/// RFC 4180, with a header. Throws Error when writing fails.
void write_tidy_csv(const Table& table, std::FILE* out);

/// Adds the launches of a file that write_tidy_csv() wrote, or anything with the columns metric, unit, value
/// and any of the others. Throws UsageError naming the line.
void read_tidy_csv(const std::filesystem::path& path, Table& table);

/// "a=1;b=2" and back.
std::string join_factors(const Factors& factors);
Factors split_factors(std::string_view text);

}  // namespace sparkmpi::analysis
