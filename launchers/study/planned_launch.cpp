#include "launchers/study/planned_launch.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/command.hpp"
#include "base/error.hpp"
#include "chroot/create.hpp"
#include "launchers/program.hpp"
#include "launchers/study/logged_process.hpp"
#include "ledger/field_file.hpp"

namespace sparkmpi::launchers::study {
namespace {

namespace fs = std::filesystem;

bool mentions_root(const StudyPlan& plan, const std::vector<Trial>& schedule, const std::string& root) {
  const auto holds = [&](const std::string& text) { return text.find(root) != std::string::npos; };
  return std::ranges::any_of(plan.environments,
                             [](const PlannedEnvironment& planned) {
                               return std::ranges::any_of(planned.options, [](const std::string& option) {
                                 return option.find("@rootfs") != std::string::npos;
                               });
                             }) ||
         std::ranges::any_of(schedule,
                             [&](const Trial& trial) { return std::ranges::any_of(trial.words, holds); });
}

Argv planned_launch(const StudyPlan& plan, const PlannedEnvironment& planned, const Places& places,
                    const fs::path& directory, int ranks, Argv words) {
  LaunchPlan launch;
  launch.environment = planned.environment;
  for (const std::string& option : planned.options) launch.options.push_back(filled_in(option, places));
  launch.model = planned.model;
  launch.launcher = plan.launcher;
  launch.ranks = ranks;
  launch.assignments = plan.variables;
  launch.hostfile = plan.hostfile;
  launch.launcher_options = plan.launcher_options;
  launch.visible = plan.visible;
  launch.directory = directory;
  launch.program = planned.program.empty() ? program_path() : planned.program;
  launch.arguments = std::move(words);
  launch.variables = variables_to_hand_on(process_variables());
  launch.gpu = plan.gpu;
  launch.oversubscribe = plan.oversubscribe;
  return launch_command(launch);
}

int fewest_ranks(const StudyPlan& plan) {
  std::vector<int> ranks;
  for (const PlannedPoint& point : plan.points)
    ranks.insert(ranks.end(), point.ranks.begin(), point.ranks.end());
  return ranks.empty() ? 1 : std::ranges::min(ranks);
}

}  // namespace

Places places_of(const StudyPlan& plan, const fs::path& directory) {
  const fs::path absolute = fs::absolute(directory);
  return {{"plan", fs::absolute(plan.file).parent_path().string()},
          {"rootfs", (absolute / "rootfs").string()}};
}

std::string missing_tool(const PlannedEnvironment& planned) {
  const std::string tool(planned.environment->tool);
  return tool.empty() || !find_program(tool).empty() ? "" : tool;
}

void make_planned_root(const StudyPlan& plan, const std::vector<Trial>& schedule, const Places& places,
                       Progress& progress) {
  const fs::path root = places.at("rootfs");
  if (!mentions_root(plan, schedule, root.string()) || fs::exists(root)) return;
  progress.keep(fmt::format("making {} (sparkmpi rootfs create)", root.string()));
  chroot::CreateOptions wanted;
  wanted.root = root.string() + ".new";
  wanted.cuda_libraries = plan.gpu;
  fs::remove_all(wanted.root);
  chroot::create_root(wanted);
  fs::rename(wanted.root, root);
}

Argv trial_command(const StudyPlan& plan, const Trial& trial, const Places& places, const fs::path& attempt,
                   const std::vector<std::string>& labels) {
  Argv words = trial.words;
  words.insert(words.end(), {"-o", (attempt / "result.h5").string()});
  for (const std::string& label : labels) words.insert(words.end(), {"--label", label});
  return planned_launch(plan, plan.environments[trial.environment], places, attempt, trial.ranks,
                        std::move(words));
}

std::vector<Try> try_environments(const StudyPlan& plan, const StudyOptions& options) {
  const Places places = places_of(plan, options.directory);
  Progress progress(options.progress);
  fs::create_directories(options.directory);
  make_planned_root(plan, make_schedule(plan, places), places, progress);
  const fs::path scratch = options.directory / "try";
  std::vector<Try> tries;
  HeldSignals signals;
  for (const PlannedEnvironment& planned : plan.environments) {
    tries.push_back({planned.name, ""});
    if (const std::string tool = missing_tool(planned); !tool.empty()) {
      tries.back().reason = fmt::format("{} is not installed here", tool);
      continue;
    }
    progress.now(fmt::format("trying {}", planned.name));
    fs::create_directories(scratch);
    const Argv command = planned_launch(plan, planned, places, scratch, fewest_ranks(plan),
                                        {"stream", "--device", "host", "--footprint", "64K", "--operation",
                                         "read", "-r", "3", "-q", "-o", (scratch / "result.h5").string()});
    constexpr double kLongest = 120;
    const ProcessEnd end = run_logged(command, scratch, scratch / "log.txt", kLongest, signals, [] {});
    if (end.timed_out) tries.back().reason = fmt::format("nothing after {:.0f} s", kLongest);
    if (end.status != 0 && !end.timed_out)
      tries.back().reason = telling_line(ledger::read_text(scratch / "log.txt").value_or(""),
                                         fmt::format("exit status {}", end.status));
    fs::remove_all(scratch);
    if (end.signal != 0) throw Error(fmt::format("interrupted by signal {}", end.signal));
  }
  return tries;
}

}  // namespace sparkmpi::launchers::study
