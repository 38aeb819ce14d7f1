#include "cli/show_command.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "cli/charge_text.hpp"
#include "cli/help.hpp"
#include "cli/memory_text.hpp"
#include "cli/output_format.hpp"
#include "cli/parse_options.hpp"
#include "cli/summary_text.hpp"
#include "results/summary.hpp"

namespace sparkmpi::cli {
namespace {

namespace po = boost::program_options;

/// One row a point, metric and rank.
Rows metric_rows(const results::ResultFile& file) {
  Rows rows{{"index", "kernel", "parameters", "metric", "unit", "axis", "rank", "host", "samples", "min",
             "median", "max"},
            {}};
  const auto exact = [](double value) { return fmt::format("{}", value); };
  for (const results::StoredKernel& kernel : file.kernels) {
    for (const results::MetricSummary& metric : results::summarise_metrics(kernel)) {
      for (std::size_t rank = 0; rank < metric.ranks.size(); ++rank) {
        const results::Spread& spread = metric.ranks[rank];
        const auto host = file.ranks.at(rank).facts.find("host");
        rows.rows.push_back({fmt::format("{}", kernel.point.index), kernel.point.kernel,
                             parameters_text(kernel.point), metric.metric.name, metric.metric.unit,
                             metric.axis, fmt::format("{}", rank),
                             host == file.ranks[rank].facts.end() ? "" : to_string(host->second),
                             fmt::format("{}", spread.count), exact(spread.minimum), exact(spread.median),
                             exact(spread.maximum)});
      }
    }
  }
  return rows;
}

}  // namespace

int show_command(const std::vector<std::string>& arguments) {
  po::options_description options("Options", 80, 36);
  auto add = options.add_options();
  add("help,h", "this text");
  add("all,a", "every metric and every ledger");
  add("per-rank", "every metric on every rank");
  add("charges", "the matrix of `charge` in full: a row for each allocator, step and ledger");
  add("balance", "only where memory went: MemFree by field, from before each point to its later moments");
  add("format", po::value<std::string>()->default_value("table")->value_name("F"),
      "table; csv or json: one row for each point, metric and rank, or with --balance for each field");
  const ParsedOptions parsed = parse_options(arguments, options);
  if (parsed.values.count("help") != 0) {
    fmt::print("{}", command_help("sparkmpi show FILE [options]",
                                  "Prints a result file's summary, computed from its raw samples.", options,
                                  "sparkmpi show run.h5 --per-rank"));
    return 0;
  }
  const OutputFormat format = parse_output_format(parsed.values["format"].as<std::string>());
  if (parsed.words.size() != 1) throw UsageError("show: name one result file");
  const results::ResultFile file = results::read_result(parsed.words.front());
  if (parsed.values.count("charges") != 0) {
    print_rows(stdout, charge_rows(file), format);
  } else if (parsed.values.count("balance") != 0) {
    print_rows(stdout, balance_rows(file), format);
  } else if (format == OutputFormat::table) {
    print_summary(stdout, file, {parsed.values.count("all") != 0, parsed.values.count("per-rank") != 0});
  } else {
    print_rows(stdout, metric_rows(file), format);
  }
  return 0;
}

}  // namespace sparkmpi::cli
