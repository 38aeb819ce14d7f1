#include "launchers/cluster/host_report.hpp"

#define XXH_INLINE_ALL
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "base/command.hpp"
#include "base/error.hpp"
#include "base/value_list.hpp"
#include "kernels/device/cuda_module.hpp"
#include "launchers/program.hpp"
#include "ledger/software.hpp"
#include "mpi/world.hpp"

namespace sparkmpi::launchers::cluster {
namespace {

std::string hash_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::vector<char> chunk(std::size_t{1} << 20U);
  XXH64_state_t* const state = XXH64_createState();
  XXH64_reset(state, 0);
  while (in) {
    in.read(chunk.data(), static_cast<std::streamsize>(chunk.size()));
    XXH64_update(state, chunk.data(), static_cast<std::size_t>(in.gcount()));
  }
  const std::uint64_t hash = XXH64_digest(state);
  XXH64_freeState(state);
  if (!in.eof()) throw Error(fmt::format("{} can't be read", path));
  return fmt::format("{:016x}", hash);
}

std::string fact(const Attributes& facts, std::string_view name) {
  const auto found = facts.find(name);
  return found == facts.end() ? std::string() : to_string(found->second);
}

/// The facts that must agree, in the order in which they are told.
struct Compared {
  std::string_view name;
  std::string HostFacts::*value;
};
constexpr std::array<Compared, 5> kCompared = {{{"architecture", &HostFacts::architecture},
                                                {"program's version", &HostFacts::version},
                                                {"program's hash", &HostFacts::program_hash},
                                                {"MPI", &HostFacts::mpi},
                                                {"driver", &HostFacts::driver}}};

std::vector<std::string> required(std::vector<std::string> hosts, const std::string& where) {
  if (hosts.empty()) throw UsageError(fmt::format("{} names no host", where));
  for (const std::string& host : hosts)
    if (host.front() == '-') throw UsageError(fmt::format("{}: '{}' is no host's name", where, host));
  return hosts;
}

}  // namespace

HostFacts own_facts(const std::string& version) {
  HostFacts facts;
  facts.program_hash = hash_of(program_path());
  facts.version = version;
  facts.mpi = mpi::World::library_version();
  const Attributes software = ledger::software_facts();
  facts.driver = fact(software, "nvidia_driver");
  facts.architecture = fact(software, "architecture");
  facts.cores = static_cast<int>(std::thread::hardware_concurrency());
  facts.gpus = static_cast<int>(kernels::CudaModule().devices().size());
  return facts;
}

std::string facts_text(const HostFacts& facts) {
  return fmt::format("program_hash={}\nversion={}\nmpi={}\ndriver={}\narchitecture={}\ncores={}\ngpus={}\n",
                     facts.program_hash, facts.version, facts.mpi, facts.driver, facts.architecture,
                     facts.cores, facts.gpus);
}

HostFacts parse_facts(std::string_view text) {
  HostFacts facts;
  std::istringstream in{std::string(text)};
  std::set<std::string> seen;
  for (std::string line; std::getline(in, line);) {
    const std::size_t equals = line.find('=');
    if (equals == std::string::npos) continue;  // a shell's greeting
    const std::string name = line.substr(0, equals), value = line.substr(equals + 1);
    seen.insert(name);
    if (name == "program_hash") facts.program_hash = value;
    if (name == "version") facts.version = value;
    if (name == "mpi") facts.mpi = value;
    if (name == "driver") facts.driver = value;
    if (name == "architecture") facts.architecture = value;
    if (name == "cores") facts.cores = std::atoi(value.c_str());
    if (name == "gpus") facts.gpus = std::atoi(value.c_str());
  }
  if (!seen.contains("program_hash") || !seen.contains("mpi"))
    throw Error("the answer is none of this program's");
  return facts;
}

HostReport ask_host(const std::string& host, const Argv& agent, const std::string& program) {
  HostReport report{host, {}, ""};
  Argv argv = agent;
  argv.insert(argv.end(), {host, shell_text({program}), "hostfile", "--facts"});
  try {
    const CommandResult result = run_command(argv);
    if (result.status == 0) {
      report.facts = parse_facts(result.output);
      return report;
    }
    std::string words = result.errors.empty() ? result.output : result.errors;
    while (!words.empty() && words.back() == '\n') words.pop_back();
    report.fault = fmt::format("{} ends with {}: {}", agent.front(), result.status,
                               words.substr(words.find_last_of('\n') + 1));
  } catch (const Error& error) {
    report.fault = error.what();
  }
  return report;
}

std::vector<std::string> differences(const std::vector<HostReport>& reports) {
  std::vector<std::string> lines;
  const HostReport* first = nullptr;
  for (const HostReport& report : reports) {
    if (!report.fault.empty()) {
      lines.push_back(fmt::format("{}: does not answer: {}", report.host, report.fault));
      continue;
    }
    if (first == nullptr) {
      first = &report;
      continue;
    }
    for (const auto& [name, value] : kCompared) {
      if (report.facts.*value != first->facts.*value)
        lines.push_back(fmt::format("{}: the {} is '{}', on {} '{}'", report.host, name, report.facts.*value,
                                    first->host, first->facts.*value));
    }
  }
  return lines;
}

std::string hostfile_text(const std::vector<HostReport>& reports, int slots) {
  std::string text;
  for (const HostReport& report : reports) {
    const int own = report.facts.gpus > 0 ? report.facts.gpus : std::max(1, report.facts.cores);
    text += fmt::format("{} slots={}\n", report.host, slots > 0 ? slots : own);
  }
  return text;
}

std::vector<std::string> hosts_in_list(const std::string& list) {
  std::vector<std::string> hosts;
  for (const std::string_view host : split_list(list, "--hosts")) hosts.emplace_back(host);
  return required(std::move(hosts), "--hosts");
}

std::vector<std::string> hosts_in_file(const std::filesystem::path& file) {
  std::ifstream in(file);
  if (!in) throw UsageError(fmt::format("the host file {} can't be read", file.string()));
  std::vector<std::string> hosts;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    if (std::string host; words >> host) hosts.push_back(host);
  }
  return required(std::move(hosts), file.string());
}

std::vector<std::string> hosts_of_slurm(const std::string& node_list) {
  const CommandResult result = run_command({"scontrol", "show", "hostnames", node_list});
  if (result.status != 0)
    throw Error(fmt::format("scontrol show hostnames {}: {}", node_list, result.errors));
  std::istringstream in(result.output);
  std::vector<std::string> hosts;
  for (std::string host; in >> host;) hosts.push_back(host);
  return required(std::move(hosts), "the Slurm job");
}

}  // namespace sparkmpi::launchers::cluster
