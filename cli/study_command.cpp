#include "cli/study_command.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "base/command.hpp"
#include "base/error.hpp"
#include "cli/help.hpp"
#include "cli/parse_options.hpp"
#include "launchers/program.hpp"
#include "launchers/study/fit.hpp"
#include "launchers/study/study.hpp"

namespace sparkmpi::cli {
namespace {

namespace study = launchers::study;

void print_dry(const study::StudyPlan& plan, const study::StudyOptions& options) {
  const study::Places places = study::places_of(plan, options.directory);
  for (const study::Trial& trial : study::make_schedule(plan, places)) {
    const auto attempt = std::filesystem::absolute(options.directory) / "trials" / trial.name / "attempt-1";
    fmt::print("{}\t{}\n", trial.name,
               shell_text(study::trial_command(plan, trial, places, attempt, {"trial=" + trial.name})));
  }
}

/// As short as it can be typed from here.
std::string from_here(const std::filesystem::path& path) {
  const std::string relative = std::filesystem::proximate(path);
  return relative.starts_with("..") || !path.is_absolute() ? path.string() : relative;
}

/// The commands that a person types next, to be copied.
void print_next(const study::StudyPlan& plan, const study::StudyOptions& options) {
  const std::string program = launchers::program_path();
  const std::string name = find_program("sparkmpi") == program ? "sparkmpi" : from_here(program);
  const std::string results = from_here(options.directory / "results");
  const std::vector<std::vector<std::string>> commands = {
      {name, "compare", results, "--by", "study_environment", "--margin",
       fmt::format("{}", plan.margin_percent), "--memory-margin", plan.memory_margin},
      {name, "audit", results},
      {name, "report", results, "-o", from_here(options.directory / "report.html")}};
  for (const std::vector<std::string>& command : commands) fmt::print("{}\n", shell_text(command));
}

/// Whether every environment of the plan starts here, before hours are spent on finding out.
int print_tries(const study::StudyPlan& plan, const study::StudyOptions& options) {
  bool all = true;
  for (const study::Try& attempt : study::try_environments(plan, options)) {
    fmt::print("{}\t{}\n", attempt.environment, attempt.works() ? "works" : attempt.reason);
    std::fflush(stdout);
    all = all && attempt.works();
  }
  return all ? 0 : 1;
}

int finish(const study::StudyPlan& plan, const study::StudyOptions& options) {
  const study::StudyOutcome outcome = study::run_study(plan, options);
  fmt::print(stderr, "{}: {} done, {} failed, {} left\n", plan.name, outcome.done, outcome.failed,
             outcome.left);
  if (outcome.failed > 0)
    fmt::print(stderr, "failed trials keep their logs in {}; --retry-failed runs them again\n",
               (options.directory / "trials").string());
  if (outcome.done > 0) {
    fmt::print(stderr, "what it says:\n");
    print_next(plan, options);
  }
  if (outcome.signal != 0) return 128 + outcome.signal;
  return outcome.failed + outcome.left > 0 ? 1 : 0;
}

}  // namespace

int study_command(const std::vector<std::string>& arguments) {
  namespace po = boost::program_options;
  po::options_description known("Options", 80, 36);
  auto add = known.add_options();
  add("help,h", "this text");
  add("output,o", po::value<std::string>()->value_name("DIR"), "the study's directory (default: ./NAME)");
  add("gpus", po::value<std::string>()->value_name("N[xMEMORY]"),
      "plan for so many GPUs (8x80G) and not for those that are here");
  add("retry-failed", "run trials that failed again; what they left is kept");
  add("dry-run", "print the schedule with the trials' commands and run nothing");
  add("try", "run a moment's work in each environment and say which work; exit status 1 when one does not");
  const ParsedOptions parsed = parse_options(arguments, known);
  if (parsed.values.count("help") != 0) {
    fmt::print("{}", command_help(
                         "sparkmpi study PLAN [options]",
                         "Runs a plan's trials in the order that its seed gives, each from a verified state "
                         "of the machine.\nThe schedule is written first. Started again, a study goes on "
                         "where it stopped.",
                         known, "sparkmpi study launchers/studies/quick.ini -o quick"));
    return 0;
  }
  if (parsed.words.size() != 1) throw UsageError("study: name one plan file");
  const auto gpus = parsed.values.count("gpus") != 0
                        ? study::parse_gpus(parsed.values["gpus"].as<std::string>())
                        : study::gpus_here();
  const auto [plan, left_out] = study::fitted(study::read_plan(parsed.words.front()), gpus);
  for (const std::string& line : left_out) fmt::print(stderr, "sparkmpi: note: {}\n", line);
  study::StudyOptions options;
  options.directory =
      parsed.values.count("output") != 0 ? parsed.values["output"].as<std::string>() : plan.name;
  options.directory = std::filesystem::absolute(options.directory);
  options.retry_failed = parsed.values.count("retry-failed") != 0;
  for (const std::string& note : study::design_notes(plan)) fmt::print(stderr, "sparkmpi: note: {}\n", note);
  if (parsed.values.count("dry-run") != 0) {
    print_dry(plan, options);
    return 0;
  }
  return parsed.values.count("try") != 0 ? print_tries(plan, options) : finish(plan, options);
}

}  // namespace sparkmpi::cli
