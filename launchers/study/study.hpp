#pragma once
// Runs a study's trials one after another; what has been run stays run, whatever happens to the study.

#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "launchers/study/plan.hpp"
#include "launchers/study/planned_launch.hpp"
#include "launchers/study/schedule.hpp"

namespace sparkmpi::launchers::study {

struct StudyOutcome {
  int done = 0, failed = 0, left = 0;
  int signal = 0;  ///< that stopped the study; 0: none
};

/// Writes DIR/plan.ini and DIR/schedule.csv first, makes DIR/rootfs when the plan mentions @rootfs, and then
/// runs every trial that is not done yet: waits for the state, runs, keeps log, command and result, and puts
/// the result at DIR/results/TRIAL.h5. Trials that failed stay failed unless `retry_failed`. Throws
/// UsageError when the directory holds another study, when another process runs it, or when a tool is
/// missing.
StudyOutcome run_study(const StudyPlan& plan, const StudyOptions& options);

}  // namespace sparkmpi::launchers::study
