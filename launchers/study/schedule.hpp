#pragma once
// A study's trials in the order in which they run: a function of the plan and its seed, and of nothing else.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "launchers/study/plan.hpp"

namespace sparkmpi::launchers::study {

struct Trial {
  int order = 0;                ///< from 1
  int block = 0;                ///< from 1
  std::string name;             ///< "0007-b2-chroot-stream", a name for files
  std::size_t environment = 0;  ///< index into the plan's
  std::string point;            ///< "inference model=Qwen2-1.5B batch=4"
  int ranks = 1;
  Argv words;  ///< the program's arguments, parameters put in
};

/// What "@name" stands for in words and options besides parameters and "ranks": "plan" (the plan's
/// directory), "rootfs".
using Places = std::map<std::string, std::string, std::less<>>;

/// Puts values in for "@name" ("@@" is one "@"). Throws UsageError naming a name that stands for nothing.
std::string filled_in(const std::string& text, const Places& places);

/// Every environment with every point, each of the point's numbers of ranks and each combination of the
/// parameters that the point mentions, once in each block. Throws UsageError for parameters that no point
/// mentions and for names that stand for nothing.
std::vector<Trial> make_schedule(const StudyPlan& plan, const Places& places);

/// The schedule as CSV with a header: order,block,trial,environment,previous,point,arguments.
std::string schedule_text(const StudyPlan& plan, const std::vector<Trial>& trials);

/// What a person should know about the design before it runs, one line each.
std::vector<std::string> design_notes(const StudyPlan& plan);

}  // namespace sparkmpi::launchers::study
