#include "cli/enclose_command.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "base/command.hpp"
#include "base/error.hpp"
#include "cli/become.hpp"
#include "cli/parse_options.hpp"
#include "launchers/launch.hpp"

namespace sparkmpi::cli {

int enclose_command(const std::vector<std::string>& arguments) {
  namespace po = boost::program_options;
  using Texts = std::vector<std::string>;
  po::options_description options;
  auto add = options.add_options();
  add("option", po::value<Texts>());
  add("directory", po::value<std::string>());
  add("show", po::value<Texts>());
  add("variable", po::value<Texts>());
  add("gpu", "");
  const auto dashes = dashes_in(arguments);
  const ParsedOptions parsed = parse_options({arguments.begin(), dashes}, options);
  if (parsed.words.size() != 1 || dashes == arguments.end() || dashes + 1 == arguments.end() ||
      parsed.values.count("directory") == 0)
    throw UsageError("enclose: this is started by `sparkmpi launch`");
  const launchers::EnvironmentInfo& environment = launchers::find_environment(parsed.words.front());
  launchers::Enclosure enclosure;
  if (parsed.values.count("option") != 0)
    for (const std::string& option : parsed.values["option"].as<Texts>())
      launchers::set_option(enclosure, environment, option);
  enclosure.directory = parsed.values["directory"].as<std::string>();
  if (parsed.values.count("show") != 0)
    for (const std::string& path : parsed.values["show"].as<Texts>()) enclosure.visible.emplace_back(path);
  if (parsed.values.count("variable") != 0) enclosure.variables = parsed.values["variable"].as<Texts>();
  enclosure.gpu = parsed.values.count("gpu") != 0;
  enclosure.name = fmt::format("sparkmpi-{}", getpid());
  become(launchers::enclosed_command(environment, enclosure, {dashes + 1, arguments.end()},
                                     process_variables()));
}

}  // namespace sparkmpi::cli
