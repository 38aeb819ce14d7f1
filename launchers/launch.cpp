#include "launchers/launch.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.hpp"
#include "launchers/program.hpp"

namespace sparkmpi::launchers {
namespace {

Argv launcher_part(const LaunchPlan& plan) {
  if (plan.launcher == Launcher::srun) {
    Argv argv = {"srun", fmt::format("--ntasks={}", plan.ranks)};
    argv.insert(argv.end(), plan.launcher_options.begin(), plan.launcher_options.end());
    return argv;
  }
  Argv argv = {"mpirun", "-np", std::to_string(plan.ranks)};
  if (plan.oversubscribe) argv.emplace_back("--oversubscribe");
  if (plan.model == LaunchModel::inside && plan.environment->root_inside)
    argv.emplace_back("--allow-run-as-root");
  if (!plan.hostfile.empty()) argv.insert(argv.end(), {"--hostfile", plan.hostfile.string()});
  // mpirun takes its own variables to other hosts by name only; srun takes all of them.
  for (const auto& [name, value] : plan.assignments) argv.insert(argv.end(), {"-x", name});
  argv.insert(argv.end(), plan.launcher_options.begin(), plan.launcher_options.end());
  return argv;
}

Argv program_part(const LaunchPlan& plan) {
  Argv argv = {plan.program};
  argv.insert(argv.end(), plan.arguments.begin(), plan.arguments.end());
  return argv;
}

void append(Argv& argv, const Argv& more) {
  argv.insert(argv.end(), more.begin(), more.end());
}

/// The hidden sub-command that encloses one rank.
Argv enclose_part(const LaunchPlan& plan) {
  Argv argv = {program_path(), "enclose", std::string(plan.environment->name)};
  for (const std::string& option : plan.options) append(argv, {"--option", option});
  append(argv, {"--directory", plan.directory.string()});
  for (const std::filesystem::path& path : plan.visible) append(argv, {"--show", path.string()});
  for (const auto& [name, value] : plan.assignments) append(argv, {"--variable", name});
  if (plan.gpu) argv.emplace_back("--gpu");
  argv.emplace_back("--");
  return argv;
}

Argv ranks_command(const LaunchPlan& plan) {
  // Faults of the options are found here and not by every rank.
  Enclosure enclosure;
  for (const std::string& option : plan.options) set_option(enclosure, *plan.environment, option);
  enclosure.directory = plan.directory;
  enclosure.visible = plan.visible;
  enclosure.gpu = plan.gpu;
  enclosure.variables = plan.variables;
  for (const auto& [name, value] : plan.assignments) enclosure.variables.push_back(name);
  enclosure.name = fmt::format("sparkmpi-{}", getpid());
  Argv ranks = launcher_part(plan);
  if (plan.environment->name == "native") {
    append(ranks, program_part(plan));
    return ranks;
  }
  if (plan.model == LaunchModel::inside) {
    if (!plan.hostfile.empty() || plan.launcher == Launcher::srun)
      throw UsageError(
          "the inside model is one container with mpirun in it, on one node; use the hybrid model "
          "for several");
    append(ranks, program_part(plan));
    return plan.environment->enclose(enclosure, ranks);
  }
  // Contradictions between options, too, are found here.
  plan.environment->enclose(enclosure, program_part(plan));
  append(ranks, enclose_part(plan));
  append(ranks, program_part(plan));
  return ranks;
}

}  // namespace

Argv launch_command(const LaunchPlan& plan) {
  Argv argv;
  if (!plan.assignments.empty()) argv.emplace_back("env");
  for (const auto& [name, value] : plan.assignments) argv.push_back(fmt::format("{}={}", name, value));
  append(argv, ranks_command(plan));
  return argv;
}

Argv enclosed_command(const EnvironmentInfo& environment, Enclosure enclosure, const Argv& inner,
                      const std::vector<std::string>& environment_variables) {
  for (std::string& name : variables_to_hand_on(environment_variables)) {
    if (std::ranges::find(enclosure.variables, name) == enclosure.variables.end())
      enclosure.variables.push_back(std::move(name));
  }
  return environment.enclose(enclosure, inner);
}

}  // namespace sparkmpi::launchers
