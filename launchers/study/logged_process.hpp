#pragma once
// A command whose output goes to a file, which ends with its caller and is ended when it takes too long.

#include <csignal>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "launchers/environment.hpp"

namespace sparkmpi::launchers::study {

/// Keeps SIGINT, SIGTERM and SIGHUP back while it lives; they are asked for instead.
class HeldSignals {
 public:
  HeldSignals();
  ~HeldSignals();
  HeldSignals(const HeldSignals&) = delete;             ///< owns the thread's signal mask
  HeldSignals& operator=(const HeldSignals&) = delete;  ///< owns the thread's signal mask
  /// The signal that has come, now or earlier; 0: none.
  int arrived();
  const sigset_t& before() const { return before_; }

 private:
  sigset_t held_{}, before_{};
  int arrived_ = 0;
};

struct ProcessEnd {
  int status = 0;  ///< exit status, or 128 + the signal that ended it
  bool timed_out = false;
  int signal = 0;  ///< that came for the study meanwhile; it was passed on
};

/// Runs `argv` in `directory` with empty standard input. Passes signals that come on, waits for the end and
/// ends it with SIGTERM, ten seconds later SIGKILL, after `timeout_s` (0: never). Should the caller be
/// killed, the command gets SIGTERM. Throws Error when there is no process to be had.
/// @param running called about once a second meanwhile.
ProcessEnd run_logged(const Argv& argv, const std::filesystem::path& directory,
                      const std::filesystem::path& log, double timeout_s, HeldSignals& signals,
                      const std::function<void()>& running);

/// The line of a failed command's log that says most: the first of the program's or a container tool's own
/// errors, or else the first one that has letters; `otherwise` without any.
std::string telling_line(std::string_view log, const std::string& otherwise);

}  // namespace sparkmpi::launchers::study
