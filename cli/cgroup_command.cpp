#include "cli/cgroup_command.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "cli/become.hpp"
#include "cli/help.hpp"
#include "cli/parse_options.hpp"
#include "launchers/memory_group.hpp"

namespace sparkmpi::cli {

int cgroup_command(const std::vector<std::string>& arguments) {
  namespace po = boost::program_options;
  po::options_description options("Options", 80, 36);
  auto add = options.add_options();
  add("help,h", "this text");
  add("memory", po::value<std::string>()->value_name("SIZE"), "limit of the group (default: none)");
  add("name", po::value<std::string>()->value_name("NAME"), "of the group (default: sparkmpi-PID)");
  add("parent", po::value<std::string>()->value_name("PATH"),
      "group under which it is made, from the hierarchy's root");
  const auto dashes = dashes_in(arguments);
  const ParsedOptions parsed = parse_options({arguments.begin(), dashes}, options);
  if (parsed.values.count("help") != 0) {
    fmt::print("{}",
               command_help("sparkmpi cgroup [options] -- COMMAND...",
                            "Runs a command in a memory cgroup of its own, version 1 or 2, which is removed "
                            "when the command ends.",
                            options, "sparkmpi cgroup --memory 8G -- mpirun -np 2 sparkmpi charge"));
    return 0;
  }
  if (!parsed.words.empty() || dashes == arguments.end() || dashes + 1 == arguments.end())
    throw UsageError("cgroup: give the command after --");
  launchers::MemoryGroupOptions wanted;
  wanted.name = parsed.values.count("name") != 0 ? parsed.values["name"].as<std::string>()
                                                 : fmt::format("sparkmpi-{}", getpid());
  if (parsed.values.count("memory") != 0)
    wanted.limit_bytes = parse_bytes(parsed.values["memory"].as<std::string>(), "--memory");
  if (parsed.values.count("parent") != 0) wanted.parent = parsed.values["parent"].as<std::string>();
  launchers::enter_memory_group(wanted);
  if (setenv("SPARKMPI_CGROUP", wanted.name.c_str(), 1) != 0)
    throw Error(fmt::format("the variable SPARKMPI_CGROUP can't be set: {}", std::strerror(errno)));
  become({dashes + 1, arguments.end()});
}

}  // namespace sparkmpi::cli
