// sparkmpi: from the command line to a sub-command.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "cli/audit_command.hpp"
#include "cli/compare_command.hpp"
#include "cli/export_command.hpp"
#include "cli/help.hpp"
#include "cli/import_command.hpp"
#include "cli/launch_rank.hpp"
#include "cli/list_command.hpp"
#include "cli/run_command.hpp"
#include "cli/scale_command.hpp"
#include "cli/show_command.hpp"
#include "cli/version.hpp"

namespace {

using namespace sparkmpi;

/// Sub-commands that work on files and need no MPI.
struct FileCommand {
  std::string_view name;
  int (*run)(const std::vector<std::string>& arguments);
};
constexpr std::array<FileCommand, 7> kFileCommands = {{{"list", cli::list_command},
                                                       {"show", cli::show_command},
                                                       {"import", cli::import_command},
                                                       {"export", cli::export_command},
                                                       {"compare", cli::compare_command},
                                                       {"scale", cli::scale_command},
                                                       {"audit", cli::audit_command}}};

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
  const auto command = std::ranges::find(kFileCommands, std::string_view(first), &FileCommand::name);
  if (first == "run" || command != kFileCommands.end()) arguments.erase(arguments.begin());
  if (command != kFileCommands.end()) return command->run(arguments);
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
