#pragma once
// What each host of a run says about itself, and what differs between them.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "launchers/environment.hpp"

namespace sparkmpi::launchers::cluster {

/// What has to be the same on every host, and how many cores there are.
struct HostFacts {
  std::string program_hash;  ///< XXH64 of the program's file
  std::string version;       ///< of the program
  std::string mpi;           ///< library's own words
  std::string driver;        ///< NVIDIA's; empty: none
  std::string architecture;
  int cores = 0;
  int gpus = 0;
};

/// This host's.
HostFacts own_facts(const std::string& version);
/// "key=value" lines for another host to read, and back. Throws Error for what is none.
std::string facts_text(const HostFacts& facts);
HostFacts parse_facts(std::string_view text);

struct HostReport {
  std::string host;
  HostFacts facts;
  std::string fault;  ///< why it did not answer; empty: it did
};

/// Asks a host by `agent HOST PROGRAM hostfile --facts`. @param agent "ssh" with its options, word by word.
/// Remote shells join their words, so the program's path is quoted for one when the agent is ssh.
HostReport ask_host(const std::string& host, const Argv& agent, const std::string& program);

/// One line for each host that did not answer and for each fact in which a host differs from the first that
/// did: "b: MPI is 'Open MPI v5.0.3', on a 'Open MPI v4.1.4'".
std::vector<std::string> differences(const std::vector<HostReport>& reports);

/// Lines of a host file as Open MPI reads it. @param slots 0: as many as the host has GPUs, else cores.
std::string hostfile_text(const std::vector<HostReport>& reports, int slots);

/// "a,b,c", or the names in a host file ("a slots=2 # comment"). Throws UsageError for a list without hosts.
std::vector<std::string> hosts_in_list(const std::string& list);
std::vector<std::string> hosts_in_file(const std::filesystem::path& file);
/// `scontrol show hostnames`, for "node[01-04]". Throws Error when scontrol fails.
std::vector<std::string> hosts_of_slurm(const std::string& node_list);

}  // namespace sparkmpi::launchers::cluster
