#pragma once
// Where a study is and how long it will still take, for the person who waits for it.

#include <cstdio>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sparkmpi::launchers::study {

/// What trials of a kind have taken, for the estimate of what is left.
class Estimate {
 public:
  /// @param kind environment and point. @param seconds of the trial, its wait for the state included.
  void add(const std::string& kind, double seconds) { taken_[kind].push_back(seconds); }
  /// Seconds: the mean of the kind, or of all when the kind has not run; 0 when nothing has.
  double of(const std::string& kind) const;

 private:
  std::map<std::string, std::vector<double>> taken_;
};

/// "42 s", "12 min", "3.4 h".
std::string duration_text(double seconds);

/// "28 left, about 2 min, until 14:05" (local time), "the last one" when nothing is.
/// @param seconds 0: nobody knows yet. @param now seconds since 1970.
std::string left_text(int trials, double seconds, double now);

/// The text in at most `columns` columns, cut with "…" where it is longer. One column a code point.
std::string cut_to(std::string_view text, std::size_t columns);

/// On a terminal one line that is written anew, with what is worth keeping above it; elsewhere plain lines.
class Progress {
 public:
  /// Rewrites its line when `out` is a terminal and $TERM is not "dumb".
  explicit Progress(std::FILE* out);
  Progress(std::FILE* out, bool live) : out_(out), live_(live) {}
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;             ///< its line is on the terminal once
  Progress& operator=(const Progress&) = delete;  ///< its line is on the terminal once

  bool live() const { return live_; }
  /// The state of things; nothing but on a terminal.
  void now(std::string_view line);
  /// A trial's end: the same as now() on a terminal, a line of its own elsewhere.
  void step(std::string_view line);
  /// A line that stays.
  void keep(std::string_view line);

 private:
  void clear();
  std::FILE* out_;
  bool live_;
  bool written_ = false;  ///< there is a line to be cleared
};

}  // namespace sparkmpi::launchers::study
