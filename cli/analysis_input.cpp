#include "cli/analysis_input.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/value_list.hpp"

namespace sparkmpi::cli {

namespace po = boost::program_options;

void add_input_options(po::options_description& options) {
  auto add = options.add_options();
  add("help,h", "this text");
  add("metric", po::value<std::vector<std::string>>()->composing()->value_name("M,..."),
      "only these metrics");
  add("mixed", "take devices of different memory models together");
}

std::vector<std::string> asked_metrics(const ParsedOptions& parsed) {
  std::vector<std::string> metrics;
  if (parsed.values.count("metric") == 0) return metrics;
  for (const std::string& list : parsed.values["metric"].as<std::vector<std::string>>()) {
    for (const std::string_view name : split_list(list, "--metric")) metrics.emplace_back(name);
  }
  return metrics;
}

analysis::Loaded load_input(const ParsedOptions& parsed, analysis::LoadOptions options) {
  if (parsed.words.empty())
    throw UsageError("name result files or directories of them; --help has an example");
  options.mixed = parsed.values.count("mixed") != 0;
  const std::vector<std::filesystem::path> paths(parsed.words.begin(), parsed.words.end());
  analysis::Loaded loaded = analysis::load(paths, options);
  for (const std::string& problem : loaded.problems) fmt::print(stderr, "sparkmpi: {}\n", problem);
  return loaded;
}

}  // namespace sparkmpi::cli
