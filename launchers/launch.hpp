#pragma once
// From "these ranks in that environment" to the command that starts them.

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "launchers/environment.hpp"

namespace sparkmpi::launchers {

enum class LaunchModel : std::uint8_t {
  hybrid,  ///< the launcher outside, each rank enclosed by itself
  inside,  ///< one enclosure around the launcher and all its ranks: one node
};

enum class Launcher : std::uint8_t { mpirun, srun };

struct LaunchPlan {
  const EnvironmentInfo* environment = nullptr;
  std::vector<std::string> options;  ///< of the environment, as typed: "memory=8G"
  LaunchModel model = LaunchModel::hybrid;
  Launcher launcher = Launcher::mpirun;
  int ranks = 1;
  std::filesystem::path hostfile;             ///< empty: this node
  std::vector<std::string> launcher_options;  ///< handed to mpirun or srun as they are
  std::vector<std::filesystem::path> visible;
  std::filesystem::path directory;
  std::string program;                 ///< of the ranks; the same path everywhere
  Argv arguments;                      ///< the program's
  std::vector<std::string> variables;  ///< names that an inside model's container is given
  std::vector<std::pair<std::string, std::string>> assignments;  ///< variables that every rank finds set
  bool gpu = false;
  bool oversubscribe = false;
};

/// The command to run. In the hybrid model each rank starts `sparkmpi enclose ENV … -- PROGRAM …`, which
/// knows the rank's own variables and becomes the enclosed command. Throws UsageError for a plan that
/// contradicts itself (a host file with the inside model).
Argv launch_command(const LaunchPlan& plan);

/// What a rank's `sparkmpi enclose` becomes. @param environment_variables as in environ: "NAME=value"; those
/// of variables_to_hand_on() are handed on besides the enclosure's own.
Argv enclosed_command(const EnvironmentInfo& environment, Enclosure enclosure, const Argv& inner,
                      const std::vector<std::string>& environment_variables);

}  // namespace sparkmpi::launchers
