#include "launchers/study/study.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <numeric>

#include "base/command.hpp"
#include "base/error.hpp"
#include "chroot/create.hpp"
#include "launchers/program.hpp"
#include "launchers/study/logged_process.hpp"
#include "launchers/study/machine_state.hpp"
#include "launchers/study/study_directory.hpp"
#include "launchers/study/trial_record.hpp"

namespace sparkmpi::launchers::study {
namespace {

namespace fs = std::filesystem;
using SteadyClock = std::chrono::steady_clock;

std::string duration_text(double seconds) {
  if (seconds < 90) return fmt::format("{:.0f} s", seconds);
  if (seconds < 5400) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

/// What trials of a kind have taken, for the estimate of what is left.
class Estimate {
 public:
  void add(const std::string& kind, double seconds) { taken_[kind].push_back(seconds); }
  /// The mean of the kind, or of all when the kind has not run; 0 when nothing has.
  double of(const std::string& kind) const {
    const auto found = taken_.find(kind);
    if (found != taken_.end()) return mean(found->second);
    std::vector<double> all;
    for (const auto& [name, seconds] : taken_) all.insert(all.end(), seconds.begin(), seconds.end());
    return all.empty() ? 0 : mean(all);
  }

 private:
  static double mean(const std::vector<double>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  }
  std::map<std::string, std::vector<double>> taken_;
};

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

class Study {
 public:
  Study(const StudyPlan& plan, const StudyOptions& options)
      : plan_(plan),
        options_(options),
        places_(places_of(plan, options.directory)),
        schedule_(make_schedule(plan, places_)),
        directory_(options.directory, plan, schedule_) {}

  StudyOutcome run() {
    require_tools();
    make_root();
    for (const Trial& trial : schedule_) look_at(trial);
    for (const Trial& trial : schedule_) {
      if (signals_.arrived() == 0 && wanted(trial)) run_trial(trial);
    }
    outcome_.signal = signals_.arrived();
    count();
    return outcome_;
  }

 private:
  void require_tools() const {
    for (const PlannedEnvironment& planned : plan_.environments) {
      const std::string tool(planned.environment->tool);
      if (!tool.empty() && find_program(tool).empty())
        throw UsageError(
            fmt::format("the environment {} needs {}, which is not installed here", planned.name, tool));
    }
  }

  /// Made beside its place and renamed, so that a root that is there is whole.
  void make_root() {
    const fs::path root = places_.at("rootfs");
    if (!mentions_root(plan_, schedule_, root) || fs::exists(root)) return;
    fmt::print(options_.progress, "making {} (sparkmpi rootfs create)\n", root.string());
    chroot::CreateOptions wanted;
    wanted.root = root.string() + ".new";
    wanted.cuda_libraries = plan_.gpu;
    fs::remove_all(wanted.root);
    chroot::create_root(wanted);
    fs::rename(wanted.root, root);
  }

  /// What earlier runs of the study left.
  void look_at(const Trial& trial) {
    std::vector<Attempt>& attempts = attempts_[trial.order];
    attempts = read_attempts(directory_.trial(trial));
    for (const Attempt& attempt : attempts) {
      if (attempt.order > started_) {
        started_ = attempt.order;
        previous_ = attempt.environment;
      }
      if (attempt.status == Status::done) estimate_.add(kind(trial), attempt.duration_s);
    }
    if (!attempts.empty() && attempts.back().status == Status::done) publish(trial, attempts.back());
  }

  bool wanted(const Trial& trial) const {
    const std::vector<Attempt>& attempts = attempts_.at(trial.order);
    if (attempts.empty()) return true;
    const Status last = attempts.back().status;
    return last == Status::started || last == Status::interrupted ||
           (last == Status::failed && options_.retry_failed);
  }

  std::string kind(const Trial& trial) const {
    return plan_.environments[trial.environment].name + " " + trial.point;
  }

  void run_trial(const Trial& trial) {
    const std::string title =
        fmt::format("[{}/{}] block {}, {}", trial.order, schedule_.size(), trial.block, kind(trial));
    const auto begin = SteadyClock::now();
    const Wait wait = reach_state(
        plan_, [&] { return signals_.arrived() != 0; },
        [&](const std::string& missing) {
          fmt::print(options_.progress, "{}: waiting: {}\n", title, missing);
        });
    if (wait.interrupted) return;
    Attempt attempt;
    attempt.number = static_cast<int>(attempts_[trial.order].size()) + 1;
    attempt.order = ++started_;
    attempt.environment = plan_.environments[trial.environment].name;
    attempt.previous_environment = previous_;
    attempt.state = wait.state;
    attempt.waited_s = wait.waited_s;
    attempt.started = now_text();
    const fs::path place = directory_.trial(trial) / attempt_name(attempt.number);
    fs::create_directories(place);
    attempt.command = trial_command(plan_, trial, places_, place, labels(trial, attempt));
    write_whole(place / "command.txt", shell_text(attempt.command) + "\n");
    write_attempt(place, trial, attempt);
    const ProcessEnd end = run_logged(attempt.command, place, place / "log.txt", plan_.timeout_s, signals_);
    finish(attempt, end, place);
    attempt.duration_s = std::chrono::duration<double>(SteadyClock::now() - begin).count();
    write_attempt(place, trial, attempt);
    attempts_[trial.order].push_back(attempt);
    previous_ = attempt.environment;
    if (attempt.status == Status::done) {
      publish(trial, attempt);
      estimate_.add(kind(trial), attempt.duration_s);
    }
    report(title, attempt, place);
  }

  std::vector<std::string> labels(const Trial& trial, const Attempt& attempt) const {
    return {"study=" + plan_.name,
            "trial=" + trial.name,
            fmt::format("block={}", trial.block),
            fmt::format("order={}", attempt.order),
            fmt::format("attempt={}", attempt.number),
            "study_environment=" + attempt.environment,
            "previous_environment=" + previous_,
            "point=" + trial.point};
  }

  static void finish(Attempt& attempt, const ProcessEnd& end, const fs::path& place) {
    attempt.ended = now_text();
    attempt.exit_status = end.status;
    attempt.status = Status::failed;
    if (end.signal != 0) {
      attempt.status = Status::interrupted;
      attempt.reason = fmt::format("signal {}", end.signal);
    } else if (end.timed_out) {
      attempt.reason = "ran past the plan's timeout";
    } else if (end.status != 0) {
      attempt.reason = fmt::format("exit status {}", end.status);
    } else if (!fs::exists(place / "result.h5")) {
      attempt.reason = "there is no result file";
    } else {
      attempt.status = Status::done;
    }
  }

  /// Moves the result to where all of them are. Finds it there when it was moved before.
  void publish(const Trial& trial, const Attempt& attempt) const {
    const fs::path result = directory_.trial(trial) / attempt_name(attempt.number) / "result.h5";
    if (fs::exists(result)) fs::rename(result, directory_.result(trial));
  }

  void report(const std::string& title, const Attempt& attempt, const fs::path& place) const {
    double seconds = 0;
    int trials = 0;
    for (const Trial& trial : schedule_) {
      if (!wanted(trial)) continue;
      const auto& attempts = attempts_.at(trial.order);
      if (!attempts.empty() && attempts.back().order == attempt.order) continue;  // this very one
      seconds += estimate_.of(kind(trial));
      ++trials;
    }
    const std::string left =
        trials == 0
            ? "the last one"
            : fmt::format("{} left{}", trials, seconds > 0 ? ", about " + duration_text(seconds) : "");
    if (attempt.status == Status::done) {
      fmt::print(options_.progress, "{}: {}; {}\n", title, duration_text(attempt.duration_s), left);
    } else {
      fmt::print(options_.progress, "{}: {}: {} ({}); {}\n", title, to_string(attempt.status), attempt.reason,
                 (place / "log.txt").string(), left);
    }
    std::fflush(options_.progress);
  }

  void count() {
    for (const Trial& trial : schedule_) {
      const std::vector<Attempt>& attempts = attempts_.at(trial.order);
      const Status last = attempts.empty() ? Status::started : attempts.back().status;
      ++(last == Status::done ? outcome_.done : last == Status::failed ? outcome_.failed : outcome_.left);
    }
  }

  const StudyPlan& plan_;
  const StudyOptions& options_;
  const Places places_;
  const std::vector<Trial> schedule_;
  const StudyDirectory directory_;
  HeldSignals signals_;
  std::map<int, std::vector<Attempt>> attempts_;  ///< by the trial's order in the schedule
  Estimate estimate_;
  int started_ = 0;                ///< trials started so far, by this process and those before it
  std::string previous_ = "none";  ///< the environment of the last of them
  StudyOutcome outcome_;
};

}  // namespace

Places places_of(const StudyPlan& plan, const fs::path& directory) {
  const fs::path absolute = fs::absolute(directory);
  return {{"plan", fs::absolute(plan.file).parent_path().string()},
          {"rootfs", (absolute / "rootfs").string()}};
}

Argv trial_command(const StudyPlan& plan, const Trial& trial, const Places& places, const fs::path& attempt,
                   const std::vector<std::string>& labels) {
  const PlannedEnvironment& planned = plan.environments[trial.environment];
  LaunchPlan launch;
  launch.environment = planned.environment;
  for (const std::string& option : planned.options) launch.options.push_back(filled_in(option, places));
  launch.model = planned.model;
  launch.launcher = plan.launcher;
  launch.ranks = trial.ranks;
  launch.assignments = plan.variables;
  launch.hostfile = plan.hostfile;
  launch.launcher_options = plan.launcher_options;
  launch.visible = plan.visible;
  launch.directory = attempt;
  launch.program = planned.program.empty() ? program_path() : planned.program;
  launch.arguments = trial.words;
  launch.arguments.insert(launch.arguments.end(), {"-o", (attempt / "result.h5").string()});
  for (const std::string& label : labels) launch.arguments.insert(launch.arguments.end(), {"--label", label});
  launch.variables = variables_to_hand_on(process_variables());
  launch.gpu = plan.gpu;
  launch.oversubscribe = plan.oversubscribe;
  return launch_command(launch);
}

StudyOutcome run_study(const StudyPlan& plan, const StudyOptions& options) {
  return Study(plan, options).run();
}

}  // namespace sparkmpi::launchers::study
