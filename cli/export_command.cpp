#include "cli/export_command.hpp"

#include <fmt/format.h>

#include "cli/analysis_input.hpp"
#include "cli/help.hpp"
#include "cli/table_output.hpp"

namespace sparkmpi::cli {

namespace po = boost::program_options;

int export_command(const std::vector<std::string>& arguments) {
  po::options_description options("Options", 80, 36);
  add_input_options(options);
  auto add = options.add_options();
  add("all,a", "every metric, time stamps and counters too");
  add("format", po::value<std::string>()->default_value("csv")->value_name("F"),
      "csv, or json: one row for each sample");
  add("output,o", po::value<std::string>()->default_value("")->value_name("FILE"), "instead of stdout");
  add("force", "overwrite FILE");
  const ParsedOptions parsed = parse_options(arguments, options);
  if (parsed.values.count("help") != 0) {
    fmt::print("{}", command_help(
                         "sparkmpi export FILES [options]",
                         "Prints raw samples as one tidy table: any number of result files, directories of\n"
                         "them, CSV that export wrote, or the JSON of other programs (see import).",
                         options, "sparkmpi export study/ -o study.csv"));
    return 0;
  }
  const OutputFormat format = parse_output_format(parsed.values["format"].as<std::string>());
  analysis::LoadOptions load;
  load.keep_samples = true;
  load.all_metrics = parsed.values.count("all") != 0;
  load.metrics = asked_metrics(parsed);
  const analysis::Loaded loaded = load_input(parsed, load);
  write_observations(loaded.table, format, parsed.values["output"].as<std::string>(),
                     parsed.values.count("force") != 0);
  return 0;
}

}  // namespace sparkmpi::cli
