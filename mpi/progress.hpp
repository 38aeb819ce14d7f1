#pragma once
// How far a run is, for the person who waits: one line that renews itself on a terminal, plain lines
// elsewhere.

#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>

namespace sparkmpi::mpi {

enum class Verbosity : std::uint8_t { quiet, normal, verbose };

/// Rank 0's reporter; the others have a quiet one.
class Progress {
 public:
  /// @param out where to; a terminal gets the one line. @param points how many there will be.
  Progress(std::FILE* out, Verbosity verbosity, int points);
  ~Progress();                                    ///< leaves the terminal's line clean
  Progress(const Progress&) = delete;             ///< owns a line of the terminal
  Progress& operator=(const Progress&) = delete;  ///< owns a line of the terminal

  void begin(int index, std::string_view title);
  /// @param done of 1. Shown at most ten times a second, and with the time that is left once it can be told.
  void update(double done, std::string_view text);
  /// @param outcome "ok", "failed: …", "interrupted".
  void finish(std::string_view outcome);
  /// Only shown when verbose.
  void detail(std::string_view line);

 private:
  using SteadyClock = std::chrono::steady_clock;
  void clear_line();
  std::string remaining(double done) const;

  std::FILE* out_;
  Verbosity verbosity_;
  bool terminal_;
  int points_, index_ = 0;
  std::string title_;
  SteadyClock::time_point start_ = SteadyClock::now(), point_start_ = start_, shown_{};
};

/// "8 s", "2 min 05 s", "1 h 03 min".
std::string format_duration(double seconds);

}  // namespace sparkmpi::mpi
