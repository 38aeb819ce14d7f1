// sparkmpi: from the command line to a sub-command.

#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "cli/audit_command.hpp"
#include "cli/cgroup_command.hpp"
#include "cli/charge_cell_command.hpp"
#include "cli/compare_command.hpp"
#include "cli/doctor_command.hpp"
#include "cli/enclose_command.hpp"
#include "cli/export_command.hpp"
#include "cli/help.hpp"
#include "cli/hostfile_command.hpp"
#include "cli/import_command.hpp"
#include "cli/launch_command.hpp"
#include "cli/launch_rank.hpp"
#include "cli/list_command.hpp"
#include "cli/pressure_child_command.hpp"
#include "cli/report_command.hpp"
#include "cli/rootfs_command.hpp"
#include "cli/run_command.hpp"
#include "cli/scale_command.hpp"
#include "cli/show_command.hpp"
#include "cli/slurm_command.hpp"
#include "cli/study_command.hpp"
#include "cli/version.hpp"
#include "kernels/charge/cell.hpp"
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
  using Command = int (*)(const std::vector<std::string>&);
  using Entry = std::pair<std::string_view, Command>;
  constexpr std::array kCommands = {
      Entry{"list", cli::list_command},
      Entry{"show", cli::show_command},
      Entry{"compare", cli::compare_command},
      Entry{"scale", cli::scale_command},
      Entry{"audit", cli::audit_command},
      Entry{"report", cli::report_command},
      Entry{"export", cli::export_command},
      Entry{"import", cli::import_command},
      Entry{"rootfs", cli::rootfs_command},
      Entry{"launch", cli::launch_command},
      Entry{"cgroup", cli::cgroup_command},
      Entry{"study", cli::study_command},
      Entry{"slurm", cli::slurm_command},
      Entry{"hostfile", cli::hostfile_command},
      Entry{"doctor", cli::doctor_command},
      // Started by this program itself:
      Entry{"enclose", cli::enclose_command},
      Entry{kernels::charge::kSubCommand, cli::charge_cell_command},
      Entry{kernels::pressure::kSubCommand, cli::pressure_child_command},
  };
  for (const auto& [name, command] : kCommands) {
    if (first == name) return command({arguments.begin() + 1, arguments.end()});
  }
  if (first == "run") arguments.erase(arguments.begin());
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
