#include "cli/audit_command.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/near_match.hpp"
#include "cli/analysis_input.hpp"
#include "cli/audit_text.hpp"
#include "cli/help.hpp"
#include "cli/model_facts.hpp"
#include "cli/output_format.hpp"

namespace sparkmpi::cli {
namespace {

namespace po = boost::program_options;

analysis::DeviceFacts asked_device(const std::string& name) {
  if (auto device = analysis::find_device(name)) return *device;
  const std::vector<std::string_view> names = analysis::device_names();
  throw UsageError(fmt::format("--device {}: not known{}; there are {}", name, did_you_mean(name, names),
                               fmt::join(names, ", ")));
}

analysis::AuditOptions options_of(const ParsedOptions& parsed) {
  analysis::AuditOptions options;
  options.models = catalogue_lookup();
  options.level = parsed.values["level"].as<double>();
  options.seed = parsed.values["seed"].as<std::uint64_t>();
  if (!(options.level > 0 && options.level < 1))
    throw UsageError("--level: give a probability between 0 and 1");
  if (const std::string name = parsed.values["device"].as<std::string>(); !name.empty())
    options.device = asked_device(name);
  if (parsed.values.count("concurrency") != 0) {
    options.concurrency = parsed.values["concurrency"].as<double>();
    if (!(*options.concurrency > 0)) throw UsageError("--concurrency: give a number above 0");
  }
  return options;
}

}  // namespace

int audit_command(const std::vector<std::string>& arguments) {
  po::options_description options("Options", 80, 36);
  add_input_options(options);
  auto add = options.add_options();
  add("device", po::value<std::string>()->default_value("")->value_name("NAME"),
      "what the runs had, where the files don't say it: gb10, gh200, h100-sxm, …");
  add("concurrency", po::value<double>()->value_name("N"),
      "sequences in a decode step, where the files don't say it");
  add("level", po::value<double>()->default_value(0.05, "0.05")->value_name("P"),
      "chance that a faultless study gives a finding that rests on a test");
  add("seed", po::value<std::uint64_t>()->default_value(1)->value_name("N"), "of random orders");
  add("format", po::value<std::string>()->default_value("table")->value_name("F"), "table, or json");
  add("json", "short for --format json");
  const ParsedOptions parsed = parse_options(arguments, options);
  if (parsed.values.count("help") != 0) {
    fmt::print("{}",
               command_help("sparkmpi audit FILES [options]",
                            "Looks for what in the numbers cannot be right, or cannot carry a conclusion;\n"
                            "each finding with its evidence, how sure it is, and what to do. Exit status 1\n"
                            "when there are findings, 0 when not.",
                            options, "sparkmpi audit study/ --device gb10"));
    return 0;
  }
  const OutputFormat format = parsed.values.count("json") != 0
                                  ? OutputFormat::json
                                  : parse_output_format(parsed.values["format"].as<std::string>());
  if (format == OutputFormat::csv) throw UsageError("--format: audit prints table or json");
  const analysis::AuditOptions chosen = options_of(parsed);
  analysis::LoadOptions load;
  load.metrics = asked_metrics(parsed);
  const analysis::Loaded loaded = load_input(parsed, load);
  const analysis::AuditReport report = analysis::audit(loaded.table, chosen);
  if (format == OutputFormat::json) {
    fmt::print("{}\n", audit_json(report));
  } else {
    print_audit(Terminal(stdout), report);
  }
  return report.findings.empty() ? 0 : 1;
}

}  // namespace sparkmpi::cli
