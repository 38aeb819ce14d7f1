// sparkmpi: from the command line to a sub-command.

#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "cli/help.hpp"
#include "cli/launch_rank.hpp"
#include "cli/list_command.hpp"
#include "cli/pressure_child_command.hpp"
#include "cli/run_command.hpp"
#include "cli/show_command.hpp"
#include "cli/version.hpp"
#include "kernels/pressure/protocol.hpp"

namespace {

using namespace sparkmpi;

int dispatch(int& argc, char**& argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  const std::string first = arguments.empty() ? "" : arguments.front();
  if (first == "--help" || first == "-h" || first == "help") {
    if (cli::speaks_for_all()) fmt::print("{}", cli::general_help());
    return 0;
  }
  if (first == "--version") {
    if (cli::speaks_for_all()) fmt::print("sparkmpi {} {}\n", cli::version(), cli::revision());
    return 0;
  }
  if (first == kernels::pressure::kSubCommand)
    return cli::pressure_child_command({arguments.begin() + 1, arguments.end()});
  if (first == "list" || first == "show" || first == "run") {
    arguments.erase(arguments.begin());
    if (first == "list") return cli::list_command(arguments);
    if (first == "show") return cli::show_command(arguments);
  }
  return cli::run_command(argc, argv, arguments);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return dispatch(argc, argv);
  } catch (const UsageError& error) {
    if (cli::speaks_for_all()) fmt::print(stderr, "sparkmpi: {}\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    fmt::print(stderr, "sparkmpi: {}\n", error.what());
    return 1;
  }
}
