#include "cli/report_command.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "analysis/report/report.hpp"
#include "base/error.hpp"
#include "base/near_match.hpp"
#include "base/value_list.hpp"
#include "cli/analysis_input.hpp"
#include "cli/help.hpp"
#include "cli/model_facts.hpp"
#include "cli/version.hpp"
#include "results/file_image.hpp"

namespace sparkmpi::cli {
namespace {

namespace po = boost::program_options;

analysis::ReportOptions options_of(const ParsedOptions& parsed) {
  analysis::ReportOptions options;
  options.title = parsed.values["title"].as<std::string>();
  options.program = fmt::format("sparkmpi {} ({})", version(), revision());
  if (const std::string by = parsed.values["by"].as<std::string>(); !by.empty()) {
    for (const std::string_view factor : split_list(by, "--by")) options.factors.emplace_back(factor);
  }
  options.compare.metrics = asked_metrics(parsed);
  options.compare.seed = options.audit.seed = parsed.values["seed"].as<std::uint64_t>();
  options.audit.models = catalogue_lookup();
  if (const std::string name = parsed.values["device"].as<std::string>(); !name.empty()) {
    options.audit.device = analysis::find_device(name);
    const std::vector<std::string_view> names = analysis::device_names();
    if (!options.audit.device)
      throw UsageError(fmt::format("--device {}: not known{}; there are {}", name, did_you_mean(name, names),
                                   fmt::join(names, ", ")));
  }
  return options;
}

void write_report(const std::string& text, const std::string& path) {
  if (path.empty()) {
    fmt::print("{}", text);
    return;
  }
  results::replace_file(path, results::FileImage(text.begin(), text.end()));
  fmt::print(stderr, "Report: {} ({:.2f} MB)\n", path, static_cast<double>(text.size()) / 1e6);
}

}  // namespace

int report_command(const std::vector<std::string>& arguments) {
  po::options_description options("Options", 80, 36);
  add_input_options(options);
  auto add = options.add_options();
  const auto text = [](const char* otherwise, const char* name) {
    return po::value<std::string>()->default_value(otherwise)->value_name(name);
  };
  add("output,o", text("", "FILE"), "the report; without it: stdout");
  add("force", "overwrite FILE");
  add("format", text("html", "F"), "html: one offline page; md: its tables and sentences");
  add("title", text("sparkmpi report", "T"), "its heading");
  add("by", text("", "FACTOR,..."), "compare by these; without it environment, and what else varies");
  add("device", text("", "NAME"), "what the runs had, where the files don't say it: gb10, gh200, …");
  add("seed", po::value<std::uint64_t>()->default_value(1)->value_name("N"), "of bootstrap and permutations");
  const ParsedOptions parsed = parse_options(arguments, options);
  if (parsed.values.count("help") != 0) {
    fmt::print(
        "{}",
        command_help("sparkmpi report FILES -o FILE [options]",
                     "Everything that the files say in one page that opens without a network: sentences,\n"
                     "figures with their data as CSV, the audit and the provenance.",
                     options, "sparkmpi report study/ -o report.html --title \"GB10, containers\""));
    return 0;
  }
  const std::string format = parsed.values["format"].as<std::string>();
  if (format != "html" && format != "md")
    throw UsageError(fmt::format("--format: '{}' is none of html, md", format));
  const std::string path = parsed.values["output"].as<std::string>();
  if (!path.empty() && std::filesystem::exists(path) && parsed.values.count("force") == 0)
    throw UsageError(fmt::format("{} exists; add --force to overwrite it", path));
  const analysis::ReportOptions chosen = options_of(parsed);
  analysis::LoadOptions load;
  load.keep_samples = true;
  load.metrics = chosen.compare.metrics;
  const analysis::Loaded loaded = load_input(parsed, load);
  const analysis::ReportData data = analysis::report_data(loaded, chosen);
  write_report(format == "html" ? analysis::report_html(data) : analysis::report_markdown(data), path);
  return 0;
}

}  // namespace sparkmpi::cli
