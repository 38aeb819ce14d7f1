#include "cli/hostfile_command.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <future>

#include "base/error.hpp"
#include "base/shell_words.hpp"
#include "cli/help.hpp"
#include "cli/parse_options.hpp"
#include "cli/version.hpp"
#include "launchers/cluster/host_report.hpp"
#include "launchers/program.hpp"

namespace sparkmpi::cli {
namespace {

namespace po = boost::program_options;
namespace cluster = launchers::cluster;

po::options_description hostfile_options() {
  po::options_description options("Options", 80, 36);
  auto add = options.add_options();
  add("help,h", "this text");
  add("hosts", po::value<std::string>()->value_name("A,B,..."), "hosts (default: those of the Slurm job)");
  add("slots", po::value<int>()->default_value(0)->value_name("N"),
      "ranks a host; 0: one for each of its GPUs, without GPUs its cores");
  add("rsh", po::value<std::string>()->value_name("COMMAND"),
      "how to run a command on a host (default: ssh -o BatchMode=yes -o ConnectTimeout=10)");
  add("program", po::value<std::string>()->value_name("PATH"),
      "this program's path there (default: as here)");
  add("facts", "print what another host would be told about this one");
  return options;
}

std::vector<std::string> hosts_of(const ParsedOptions& parsed) {
  if (parsed.values.count("hosts") != 0)
    return cluster::hosts_in_list(parsed.values["hosts"].as<std::string>());
  if (!parsed.words.empty()) return cluster::hosts_in_file(parsed.words.front());
  for (const char* const name : {"SLURM_JOB_NODELIST", "SLURM_NODELIST"})
    if (const char* const list = std::getenv(name)) return cluster::hosts_of_slurm(list);
  throw UsageError("hostfile: name a host file, give --hosts A,B, or run it in a Slurm job");
}

}  // namespace

int hostfile_command(const std::vector<std::string>& arguments) {
  const po::options_description options = hostfile_options();
  const ParsedOptions parsed = parse_options(arguments, options);
  if (parsed.values.count("help") != 0) {
    fmt::print(
        "{}",
        command_help("sparkmpi hostfile [FILE] [options]",
                     "Asks every host for its program, MPI and driver, says on stderr what differs, and "
                     "prints a host file\nfor mpirun. Exit status 1 when a host does not answer or differs.",
                     options, "sparkmpi hostfile --hosts spark-a,spark-b > hosts"));
    return 0;
  }
  if (parsed.values.count("facts") != 0) {
    fmt::print("{}", cluster::facts_text(cluster::own_facts(fmt::format("{} {}", version(), revision()))));
    return 0;
  }
  if (parsed.words.size() > 1) throw UsageError("hostfile: name one host file");
  const int slots = parsed.values["slots"].as<int>();
  if (slots < 0) throw UsageError(fmt::format("--slots {}: give 0 or more", slots));
  const std::string rsh = parsed.values.count("rsh") != 0 ? parsed.values["rsh"].as<std::string>()
                                                          : "ssh -o BatchMode=yes -o ConnectTimeout=10";
  const std::vector<std::string> agent = shell_words(rsh);
  if (agent.empty()) throw UsageError("--rsh: give a command");
  const std::string program = parsed.values.count("program") != 0 ? parsed.values["program"].as<std::string>()
                                                                  : launchers::program_path();
  const std::vector<std::string> hosts = hosts_of(parsed);
  std::vector<std::future<cluster::HostReport>> asked;
  asked.reserve(hosts.size());
  for (const std::string& host : hosts)
    asked.push_back(std::async(std::launch::async, cluster::ask_host, host, agent, program));
  std::vector<cluster::HostReport> reports;
  reports.reserve(asked.size());
  for (auto& answer : asked) reports.push_back(answer.get());
  const std::vector<std::string> found = cluster::differences(reports);
  for (const std::string& line : found) fmt::print(stderr, "sparkmpi: {}\n", line);
  std::erase_if(reports, [](const cluster::HostReport& report) { return !report.fault.empty(); });
  fmt::print("{}", cluster::hostfile_text(reports, slots));
  return found.empty() ? 0 : 1;
}

}  // namespace sparkmpi::cli
