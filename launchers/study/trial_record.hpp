#pragma once
// What is known of a trial's attempts, on disk: DIR/trials/TRIAL/attempt-N/ with trial.json, command.txt,
// log.txt and the result file. Attempts are never overwritten.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "launchers/study/machine_state.hpp"
#include "launchers/study/schedule.hpp"

namespace sparkmpi::launchers::study {

enum class Status : std::uint8_t {
  started,  ///< and never heard of again: the study was killed
  done,
  failed,       ///< the program's exit status was not 0, or it ran past the plan's time
  interrupted,  ///< by the person who ran the study
};
std::string_view to_string(Status status);

struct Attempt {
  int number = 1;
  Status status = Status::started;
  int exit_status = -1;
  int order = 0;  ///< which trial this was in time, from 1
  double duration_s = 0;
  std::string reason;  ///< why it is not done; empty otherwise
  std::string environment, previous_environment, started, ended;
  Argv command;
  MachineState state;
  double waited_s = 0;
};

/// Writes trial.json as a whole or not at all.
void write_attempt(const std::filesystem::path& directory, const Trial& trial, const Attempt& attempt);

/// The attempts at a trial, first to last. Throws Error for a trial.json that can't be read.
std::vector<Attempt> read_attempts(const std::filesystem::path& trial_directory);

/// "attempt-2"
std::string attempt_name(int number);

/// Writes a text file beside its place and renames it there. Throws Error.
void write_whole(const std::filesystem::path& file, const std::string& text);

/// The time as ISO 8601 in UTC.
std::string now_text();

}  // namespace sparkmpi::launchers::study
