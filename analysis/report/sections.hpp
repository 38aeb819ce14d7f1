#pragma once
// The report's sections as JSON, each null where its data don't exist.

#include <span>
#include <string>
#include <vector>

#include "analysis/compare_sentence.hpp"
#include "analysis/report/report.hpp"

namespace sparkmpi::analysis::report {

/// Raw points of a group, values of a distribution's curve, and ticks of a time line that are shown at most.
inline constexpr std::size_t kShownPoints = 200;
/// Questions of one factor, and distributions.
inline constexpr std::size_t kShownQuestions = 60;
/// Files whose time lines, matrices and balances are shown.
inline constexpr std::size_t kDetailedFiles = 12;

/// What the comparisons are by: asked for, or environment and what else has 2 to 8 levels.
std::vector<std::string> factors_to_compare(const Table& table, const ReportOptions& options);

/// @param primary gets what is said of the primary metrics.
ReportData comparisons(const Table& table, std::span<const std::string> factors, const ReportOptions& options,
                       std::vector<Statement>& primary);
/// {kinds: [{scaling, over, title, meaning, curves, notes}], standouts}: strong and weak scaling apart, each
/// with its own fit, and the sentences about ranks and nodes that stand apart.
ReportData scaling(const Table& table, const ReportOptions& options);
ReportData audited(const Table& table, const ReportOptions& options);
/// ECDFs of raw samples by each of the factors that tells samples apart, else of all samples.
ReportData distributions(const Table& table, std::span<const std::string> factors);
/// Each rank's mean, node by node.
ReportData node_ranks(const Table& table);
/// Facts of the launches: those that all share, and those that differ.
ReportData provenance(const Table& table);
/// Adds the sections "timelines", "charge", "balance", "kv": read from the result files themselves. A file
/// that can't be read again is named in a section's notes.
void add_file_sections(const Table& table, ReportData& data);

/// What a row or a curve is about: kernel, model, condition, metric, unit, meaning, and which is better.
ReportData question_row(const Table& table, const std::string& kernel, const std::string& model,
                        const std::string& condition, std::uint32_t metric);
/// About six significant digits: what a screen can show. NaN stays NaN, which JSON writes as null.
double shown(double value);
/// Evenly spaced positions out of `count`, the first and the last among them.
std::vector<std::size_t> thinned(std::size_t count, std::size_t most);

}  // namespace sparkmpi::analysis::report
