#include "launchers/launch.hpp"

#include <fmt/format.h>
#include <unistd.h>

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
  if (plan.gpu) argv.emplace_back("--gpu");
  argv.emplace_back("--");
  return argv;
}

}  // namespace

Argv launch_command(const LaunchPlan& plan) {
  // Faults of the options are found here and not by every rank.
  Enclosure enclosure;
  for (const std::string& option : plan.options) set_option(enclosure, *plan.environment, option);
  enclosure.directory = plan.directory;
  enclosure.visible = plan.visible;
  enclosure.gpu = plan.gpu;
  enclosure.variables = plan.variables;
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

Argv enclosed_command(const EnvironmentInfo& environment, Enclosure enclosure, const Argv& inner,
                      const std::vector<std::string>& environment_variables) {
  enclosure.variables = variables_to_hand_on(environment_variables);
  return environment.enclose(enclosure, inner);
}

}  // namespace sparkmpi::launchers
