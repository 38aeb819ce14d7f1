#pragma once
// A plan's environments on this machine: the commands of its trials, and whether they would start.

#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "launchers/study/plan.hpp"
#include "launchers/study/progress.hpp"
#include "launchers/study/schedule.hpp"

namespace sparkmpi::launchers::study {

struct StudyOptions {
  std::filesystem::path directory;
  bool retry_failed = false;
  std::FILE* progress = stderr;
};

/// "plan" and "rootfs" for a study in that directory.
Places places_of(const StudyPlan& plan, const std::filesystem::path& directory);

/// The command of one trial. @param attempt its directory. @param labels facts for the result file.
Argv trial_command(const StudyPlan& plan, const Trial& trial, const Places& places,
                   const std::filesystem::path& attempt, const std::vector<std::string>& labels);

/// The program that the environment needs and this machine lacks; empty: nothing.
std::string missing_tool(const PlannedEnvironment& planned);

/// Makes DIR/rootfs when the plan mentions @rootfs and it is not there; beside its place and renamed, so that
/// a root that is there is whole.
void make_planned_root(const StudyPlan& plan, const std::vector<Trial>& schedule, const Places& places,
                       Progress& progress);

struct Try {
  std::string environment;  ///< the plan's name
  std::string reason;       ///< why it does not work here; empty: it does
  bool works() const { return reason.empty(); }
};

/// Runs a moment's work with all ranks in each environment of the plan, and keeps nothing but DIR/rootfs.
/// Throws Error when it is interrupted.
std::vector<Try> try_environments(const StudyPlan& plan, const StudyOptions& options);

}  // namespace sparkmpi::launchers::study
