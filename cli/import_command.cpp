#include "cli/import_command.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "cli/analysis_input.hpp"
#include "cli/help.hpp"
#include "cli/table_output.hpp"

namespace sparkmpi::cli {
namespace {

namespace po = boost::program_options;

/// What a person knows about runs whose files don't say it.
void set_facts(const ParsedOptions& parsed, analysis::Factors& set) {
  if (parsed.values.count("set") == 0) return;
  for (const std::string& text : parsed.values["set"].as<std::vector<std::string>>()) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
      throw UsageError(fmt::format("--set {}: write NAME=VALUE, e.g. --set environment=docker", text));
    set[text.substr(0, equals)] = text.substr(equals + 1);
  }
}

}  // namespace

int import_command(const std::vector<std::string>& arguments) {
  po::options_description options("Options", 80, 36);
  add_input_options(options);
  auto add = options.add_options();
  add("set", po::value<std::vector<std::string>>()->composing()->value_name("NAME=VALUE"),
      "what the files don't say: environment, study, block, memory_model, or any other fact");
  add("format", po::value<std::string>()->default_value("csv")->value_name("F"), "csv, or json");
  add("output,o", po::value<std::string>()->default_value("")->value_name("FILE"), "instead of stdout");
  add("force", "overwrite FILE");
  const ParsedOptions parsed = parse_options(arguments, options);
  if (parsed.values.count("help") != 0) {
    fmt::print("{}", command_help(
                         "sparkmpi import FILES [options]",
                         "Turns other programs' results into the tidy CSV that compare, scale and audit\n"
                         "read: llama-bench (json, jsonl), nccl-tests -J, nvbandwidth --json, trtllm-bench\n"
                         "--report_json, and the published study's runs by model and environment. All of\n"
                         "them can also be named to compare, scale and audit directly.",
                         options, "sparkmpi import docker/*.json --set environment=docker -o docker.csv"));
    return 0;
  }
  const OutputFormat format = parse_output_format(parsed.values["format"].as<std::string>());
  analysis::LoadOptions load;
  load.keep_samples = load.all_metrics = true;
  load.metrics = asked_metrics(parsed);
  set_facts(parsed, load.set);
  const analysis::Loaded loaded = load_input(parsed, load);
  write_observations(loaded.table, format, parsed.values["output"].as<std::string>(),
                     parsed.values.count("force") != 0);
  fmt::print(stderr, "sparkmpi: {} launches, {} points, {} series from {} files\n",
             loaded.table.launches().size(), loaded.table.points().size(), loaded.table.series().size(),
             loaded.files);
  return 0;
}

}  // namespace sparkmpi::cli
