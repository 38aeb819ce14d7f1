#include "cli/compare_command.hpp"

#include <fmt/format.h>

#include "analysis/compare.hpp"
#include "base/bytes.hpp"
#include "base/error.hpp"
#include "cli/analysis_input.hpp"
#include "cli/compare_text.hpp"
#include "cli/help.hpp"

namespace sparkmpi::cli {
namespace {

namespace po = boost::program_options;

analysis::CompareOptions options_of(const ParsedOptions& parsed) {
  analysis::CompareOptions options;
  options.factor = parsed.values["by"].as<std::string>();
  options.reference = parsed.values["reference"].as<std::string>();
  options.metrics = asked_metrics(parsed);
  options.alpha = parsed.values["alpha"].as<double>();
  options.seed = parsed.values["seed"].as<std::uint64_t>();
  options.relative_margin = parsed.values["margin"].as<double>() / 100;
  options.byte_margin =
      static_cast<double>(parse_bytes(parsed.values["memory-margin"].as<std::string>(), "--memory-margin"));
  const std::string location = parsed.values["location"].as<std::string>();
  if (location != "mean" && location != "median")
    throw UsageError(fmt::format("--location: '{}' is none of mean, median", location));
  options.location = location == "mean" ? analysis::LocationOf::mean : analysis::LocationOf::median;
  if (!(options.alpha > 0 && options.alpha < 1))
    throw UsageError("--alpha: give a probability between 0 and 1");
  if (!(options.relative_margin > 0)) throw UsageError("--margin: give a percentage above 0");
  return options;
}

}  // namespace

int compare_command(const std::vector<std::string>& arguments) {
  po::options_description options("Options", 80, 36);
  add_input_options(options);
  auto add = options.add_options();
  const auto text = [](const char* otherwise, const char* name) {
    return po::value<std::string>()->default_value(otherwise)->value_name(name);
  };
  add("by", text("environment", "FACTOR"),
      "environment, node, model, device, kernel, host, rank, any parameter, or any fact of the runs");
  add("reference", text("", "LEVEL"), "what the others are compared with; native, or the first");
  add("margin", po::value<double>()->default_value(1)->value_name("PERCENT"),
      "differences below it count as none (rates, times, ratios)");
  add("memory-margin", text("0.5GiB", "BYTES"), "the same for metrics in bytes");
  add("location", text("mean", "L"), "mean or median of a rank's samples");
  add("alpha", po::value<double>()->default_value(0.05, "0.05")->value_name("P"),
      "chance of a false answer, over all primary metrics");
  add("seed", po::value<std::uint64_t>()->default_value(1)->value_name("N"), "of bootstrap and permutations");
  add("format", text("table", "F"), "table; csv or json: every statistic");
  const ParsedOptions parsed = parse_options(arguments, options);
  if (parsed.values.count("help") != 0) {
    fmt::print(
        "{}", command_help("sparkmpi compare FILES [--by FACTOR] [options]",
                           "Compares launch with launch: different (by how much), equivalent (within what),\n"
                           "or undecided (what would decide). docs/analysis.md says how each figure is made.",
                           options, "sparkmpi compare study/ --by environment"));
    return 0;
  }
  const OutputFormat format = parse_output_format(parsed.values["format"].as<std::string>());
  const analysis::CompareOptions chosen = options_of(parsed);
  analysis::LoadOptions load;
  load.metrics = chosen.metrics;
  const analysis::Loaded loaded = load_input(parsed, load);
  const analysis::CompareResult result = analysis::compare(loaded.table, chosen);
  if (format == OutputFormat::table) {
    print_comparison(Terminal(stdout), result);
  } else {
    print_rows(stdout, comparison_rows(result), format);
  }
  return 0;
}

}  // namespace sparkmpi::cli
