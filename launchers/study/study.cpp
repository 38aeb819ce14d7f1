#include "launchers/study/study.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>

#include "base/command.hpp"
#include "base/error.hpp"
#include "launchers/study/logged_process.hpp"
#include "launchers/study/machine_state.hpp"
#include "launchers/study/planned_launch.hpp"
#include "launchers/study/progress.hpp"
#include "launchers/study/study_directory.hpp"
#include "launchers/study/trial_record.hpp"
#include "ledger/field_file.hpp"

namespace sparkmpi::launchers::study {
namespace {

namespace fs = std::filesystem;
using SteadyClock = std::chrono::steady_clock;

class Study {
 public:
  Study(const StudyPlan& plan, const StudyOptions& options)
      : plan_(plan),
        options_(options),
        places_(places_of(plan, options.directory)),
        schedule_(make_schedule(plan, places_)),
        directory_(options.directory, plan, schedule_),
        progress_(options.progress) {}

  StudyOutcome run() {
    for (const PlannedEnvironment& planned : plan_.environments)
      if (const std::string tool = missing_tool(planned); !tool.empty())
        throw UsageError(
            fmt::format("the environment {} needs {}, which is not installed here", planned.name, tool));
    make_planned_root(plan_, schedule_, places_, progress_);
    for (const Trial& trial : schedule_) look_at(trial);
    for (const Trial& trial : schedule_) {
      if (signals_.arrived() == 0 && wanted(trial)) run_trial(trial);
    }
    outcome_.signal = signals_.arrived();
    count();
    return outcome_;
  }

 private:
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
    const auto passed = [&] { return std::chrono::duration<double>(SteadyClock::now() - begin).count(); };
    const Wait wait = reach_state(
        plan_, [&] { return signals_.arrived() != 0; },
        [&](const std::string& missing) { progress_.step(fmt::format("{}: waiting: {}", title, missing)); });
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
    const ProcessEnd end = run_logged(attempt.command, place, place / "log.txt", plan_.timeout_s, signals_,
                                      [&] { progress_.now(running_text(title, trial, passed())); });
    finish(attempt, end, place);
    attempt.duration_s = passed();
    write_attempt(place, trial, attempt);
    attempts_[trial.order].push_back(attempt);
    previous_ = attempt.environment;
    if (attempt.status == Status::done) {
      publish(trial, attempt);
      estimate_.add(kind(trial), attempt.duration_s);
    }
    report(title, trial, attempt, place);
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
      const std::string status = fmt::format("exit status {}", end.status);
      const std::string line = telling_line(ledger::read_text(place / "log.txt").value_or(""), "");
      attempt.reason = line.empty() ? status : fmt::format("{}: {}", status, line);
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

  struct Left {
    int trials = 0;
    double seconds = 0;  ///< 0: nothing has run that could tell
  };
  /// What comes after this trial.
  Left left_after(const Trial& present) const {
    Left left;
    for (const Trial& trial : schedule_) {
      if (trial.order <= present.order || !wanted(trial)) continue;
      left.seconds += estimate_.of(kind(trial));
      ++left.trials;
    }
    return left;
  }

  std::string running_text(const std::string& title, const Trial& trial, double passed) const {
    const Left left = left_after(trial);
    const double usual = estimate_.of(kind(trial));
    const std::string of = usual > 0 ? " of about " + duration_text(usual) : "";
    return fmt::format("{}: {}{}; {}", title, duration_text(passed), of,
                       left_text(left.trials, left.seconds + std::max(0.0, usual - passed), wall_clock()));
  }

  static double wall_clock() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  }

  void report(const std::string& title, const Trial& trial, const Attempt& attempt, const fs::path& place) {
    const Left left = left_after(trial);
    const std::string rest = left_text(left.trials, left.seconds, wall_clock());
    if (attempt.status == Status::done) {
      progress_.step(fmt::format("{}: {}; {}", title, duration_text(attempt.duration_s), rest));
    } else {
      progress_.keep(fmt::format("{}: {}: {} ({}); {}", title, to_string(attempt.status), attempt.reason,
                                 (place / "log.txt").string(), rest));
    }
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
  Progress progress_;
  int started_ = 0;                ///< trials started so far, by this process and those before it
  std::string previous_ = "none";  ///< the environment of the last of them
  StudyOutcome outcome_;
};

}  // namespace

StudyOutcome run_study(const StudyPlan& plan, const StudyOptions& options) {
  return Study(plan, options).run();
}

}  // namespace sparkmpi::launchers::study
