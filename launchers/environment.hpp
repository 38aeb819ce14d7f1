#pragma once
// Environments as data: each is one file under environments/ that turns a command into the command that runs
// it there. Everything is an argument list; no shell ever sees a name.

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sparkmpi::launchers {

using Argv = std::vector<std::string>;

/// One thing about an environment that a study may vary.
struct EnvironmentOption {
  std::string_view name;  ///< "shm-size"
  std::string_view help;  ///< one line, with an example of a value
  bool flag = false;      ///< present or not
};

/// What the enclosed command has to find inside as it is outside.
struct Enclosure {
  std::map<std::string, std::string, std::less<>>
      options;                                 ///< values of the environment's options; flags "1"
  std::filesystem::path directory;             ///< working directory, visible inside
  std::vector<std::filesystem::path> visible;  ///< further files and directories, at the same path
  std::vector<std::string> variables;          ///< names of variables that are handed on
  std::string name;                            ///< of the container or group, unique on the node
  bool gpu = false;                            ///< the command uses GPUs

  bool has(std::string_view option) const { return options.contains(option); }
  /// The option's value. Throws UsageError that names the option and the environment when it is missing.
  const std::string& value(std::string_view option, std::string_view environment) const;
};

struct EnvironmentInfo {
  std::string_view name;
  std::string_view summary;  ///< one line for `sparkmpi list environments`
  std::string_view tool;     ///< the program it needs; empty: none
  std::span<const EnvironmentOption> options;
  /// The command that runs `inner` there. Throws UsageError for options that contradict each other.
  Argv (*enclose)(const Enclosure& enclosure, const Argv& inner);
  bool root_inside = false;  ///< commands run as root there, whoever starts them
};

/// All of them, in the order of the documentation.
std::span<const EnvironmentInfo> environments();
/// Throws UsageError with near names.
const EnvironmentInfo& find_environment(std::string_view name);

/// Parses "memory=8G" and "privileged" into an enclosure's options. Throws UsageError, with near names, for
/// an option that the environment lacks, a flag with a value, an option without one, or one given twice.
void set_option(Enclosure& enclosure, const EnvironmentInfo& environment, std::string_view text);

/// Names of the variables that a launcher gives its ranks and that a rank in a container needs as well: those
/// of MPI, PMI, PMIx, UCX, NCCL, Slurm, OpenMP, CUDA and this program.
std::vector<std::string> variables_to_hand_on(std::span<const std::string> all);

}  // namespace sparkmpi::launchers
