// Which MPI and PMIx are really loaded, and whether the launcher is theirs.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <map>

#include "base/command.hpp"
#include "base/error.hpp"
#include "launchers/doctor/checks.hpp"
#include "launchers/doctor/library.hpp"
#include "ledger/environment.hpp"
#include "mpi/launcher_check.hpp"
#include "mpi/world.hpp"

namespace sparkmpi::launchers::doctor {
namespace {

std::string first_line_of(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

/// The first "4.1.4" in a text: digits with at least one point.
std::string version_in(const std::string& text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (std::isdigit(static_cast<unsigned char>(text[i])) == 0) continue;
    std::size_t end = i;
    while (end < text.size() &&
           (std::isdigit(static_cast<unsigned char>(text[end])) != 0 || text[end] == '.'))
      ++end;
    std::string version = text.substr(i, end - i);
    while (!version.empty() && version.back() == '.') version.pop_back();
    if (version.find('.') != std::string::npos) return version;
    i = end;
  }
  return "";
}

std::string major_of(const std::string& version) {
  return version.substr(0, version.find('.'));
}

/// "Open MPI" for both "mpirun (Open MPI) 4.1.4" and "Open MPI v4.1.4, package: …".
std::string make_of(const std::string& text) {
  for (const std::string_view make : {"Open MPI", "MPICH", "Intel(R) MPI", "MVAPICH", "HYDRA"})
    if (text.find(make) != std::string::npos) return make == "HYDRA" ? "MPICH" : std::string(make);
  return "";
}

Finding check_pmix() {
  const char* const server = std::getenv("PMIX_VERSION");
  const Library library("libpmix.so.2");
  std::string client;
  if (const auto version = library.function<const char* (*)()>("PMIx_Get_version")) client = version();
  Finding finding = judge_pmix(server != nullptr ? server : "", client);
  if (library.loaded()) finding.what += fmt::format(" ({})", library.path());
  return finding;
}

Finding check_root() {
  const bool allowed = std::getenv("OMPI_ALLOW_RUN_AS_ROOT") != nullptr &&
                       std::getenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM") != nullptr;
  if (geteuid() != 0 || allowed) return {Level::good, "user", "mpirun starts for this user", ""};
  return {Level::warning, "user", "Open MPI's mpirun refuses to start for root",
          "if that is meant: export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"};
}

}  // namespace

Finding judge_mpi_copies(const std::vector<std::string>& paths) {
  std::vector<std::string> copies;
  for (const std::string& path : paths) {
    const std::string name = path.substr(path.find_last_of('/') + 1);
    if (name.starts_with("libmpi.so") && std::ranges::find(copies, path) == copies.end())
      copies.push_back(path);
  }
  if (copies.size() == 1) return {Level::good, "libmpi", copies.front(), ""};
  if (copies.empty())
    return {Level::warning, "libmpi", "no libmpi.so is loaded (another MPI, or one that is linked in)", ""};
  return {Level::fault, "libmpi", fmt::format("two are loaded: {} and {}", copies[0], copies[1]),
          "leave one installation in LD_LIBRARY_PATH and LD_PRELOAD"};
}

Finding judge_mpi_parts(const std::vector<std::string>& paths) {
  std::map<std::string, std::string> folders;  // → the first part that lies there
  for (const std::string& path : paths) {
    const std::size_t slash = path.find_last_of('/');
    const std::string name = path.substr(slash + 1);
    for (const std::string_view part : {"libmpi.so", "libopen-rte.so", "libopen-pal.so"})
      if (slash != std::string::npos && name.starts_with(part))
        folders.try_emplace(path.substr(0, slash), path);
  }
  if (folders.size() < 2) return {Level::good, "MPI's parts", "from one installation", ""};
  return {Level::fault, "MPI's parts",
          fmt::format("of two installations: {} and {}", folders.begin()->second,
                      std::next(folders.begin())->second),
          "leave one installation in LD_LIBRARY_PATH, and look at the programs' RUNPATH (readelf -d)"};
}

Finding judge_mpirun(const std::string& mpirun, const std::string& library) {
  const std::string ours = make_of(library), version = version_in(library);
  if (mpirun.empty())
    return {Level::warning, "mpirun", "is not in PATH; srun or another launcher has to start the ranks",
            fmt::format("put the bin folder of {} {} into PATH", ours, version)};
  const std::string theirs = make_of(mpirun), launcher = version_in(mpirun);
  if (ours != theirs || major_of(version) != major_of(launcher))
    return {Level::fault, "mpirun",
            fmt::format("mpirun is {} {}, the library is {} {}", theirs, launcher, ours, version),
            "use the mpirun of the library's installation: with another every process is rank 0 of 1"};
  if (version != launcher)
    return {Level::warning, "mpirun", fmt::format("mpirun is {}, the library {} {}", launcher, ours, version),
            "the same version on both sides rules surprises out"};
  return {Level::good, "mpirun", fmt::format("{} {}, as the library", theirs, launcher), ""};
}

Finding judge_pmix(const std::string& server, const std::string& client) {
  const std::string theirs = version_in(server), ours = version_in(client);
  if (server.empty())
    return {Level::good, "PMIx", client.empty() ? "no library, and no launcher that needs one" : client, ""};
  if (client.empty())
    return {Level::warning, "PMIx",
            fmt::format("the launcher speaks PMIx {}, and no libpmix.so.2 can be loaded here", theirs),
            "an MPI with PMIx built in works; otherwise install libpmix2"};
  // PMIx talks across versions from 2 on (OpenPMIx, "Cross-version support"); 1 and 2 on either side do not.
  if (major_of(theirs) == "1" || major_of(ours) == "1")
    return {Level::fault, "PMIx", fmt::format("the launcher's is {}, the library's {}", theirs, ours),
            "use 2 or newer on both sides"};
  if (major_of(theirs) != major_of(ours))
    return {Level::warning, "PMIx", fmt::format("the launcher's is {}, the library's {}", theirs, ours),
            "the same version on both sides rules surprises out"};
  return {Level::good, "PMIx", fmt::format("{}, as the launcher's", ours), ""};
}

Findings check_mpi() {
  Findings findings;
  const std::string library = mpi::World::library_version();
  std::vector<std::string> objects = loaded_objects();
  findings.push_back(judge_mpi_copies(objects));
  // /lib and /usr/lib are one folder on most systems.
  for (std::string& path : objects) {
    std::error_code failed;
    const std::filesystem::path folder =
        std::filesystem::canonical(std::filesystem::path(path).parent_path(), failed);
    if (!failed) path = folder / std::filesystem::path(path).filename();
  }
  findings.push_back(judge_mpi_parts(objects));
  std::string mpirun;
  if (const std::string program = find_program("mpirun"); !program.empty()) {
    mpirun = first_line_of(run_command({program, "--version"}).output);
    findings.push_back(judge_mpirun(mpirun, library));
    findings.back().what += fmt::format(" ({})", program);
  } else {
    findings.push_back(judge_mpirun("", library));
  }
  findings.push_back(check_pmix());
  if (make_of(library) == "Open MPI") findings.push_back(check_root());
  if (const auto claim = mpi::launch_claim(ledger::process_environment))
    findings.push_back({Level::good, "launcher",
                        fmt::format("{} says {} processes", claim->variable, claim->processes), ""});
  return findings;
}

}  // namespace sparkmpi::launchers::doctor
