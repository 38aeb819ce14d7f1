#pragma once
// The report: everything that the files say, as one offline HTML page or as Markdown.

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/audit.hpp"
#include "analysis/compare.hpp"
#include "analysis/load.hpp"

namespace sparkmpi::analysis {

using ReportData = nlohmann::ordered_json;

struct ReportOptions {
  std::string title;
  std::string program;               ///< "sparkmpi 0.1.0 (revision)": who made the report
  std::vector<std::string> factors;  ///< compared by; empty: environment, and what else varies
  CompareOptions compare;            ///< factor and reference are set for each factor
  AuditOptions audit;
};

/// What the report shows, section by section; a section without data is missing. What is thinned out for
/// display is said in the section's "notes". The table of `loaded` must have kept its samples. Throws
/// UsageError for a factor that nothing has.
ReportData report_data(const Loaded& loaded, const ReportOptions& options);

/// One self-contained page: no request leaves it, and no text of a result file can run in it.
std::string report_html(const ReportData& data);
/// The sentences and tables without the figures.
std::string report_markdown(const ReportData& data);

}  // namespace sparkmpi::analysis
