#include "mpi/progress.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

namespace sparkmpi::mpi {
namespace {

constexpr auto kRenewal = std::chrono::milliseconds(100);
constexpr double kEarliestEta = 5;  // seconds: before, an extrapolation says nothing

double seconds_between(std::chrono::steady_clock::time_point from, std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

std::size_t terminal_width(std::FILE* out) {
  winsize size{};
  return ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

Progress::Progress(std::FILE* out, Verbosity verbosity, int points)
    : out_(out), verbosity_(verbosity), terminal_(isatty(fileno(out)) != 0), points_(points) {}

Progress::~Progress() {
  clear_line();
}

void Progress::begin(int index, std::string_view title) {
  index_ = index;
  title_ = title;
  point_start_ = SteadyClock::now();
  shown_ = {};
  update(0, "");
}

void Progress::update(double done, std::string_view text) {
  if (verbosity_ == Verbosity::quiet || !terminal_) return;
  const auto now = SteadyClock::now();
  if (now - shown_ < kRenewal) return;
  shown_ = now;
  std::string line = fmt::format("[{}/{}] {}  {:3.0f} %{}{}{}", index_ + 1, points_, title_, 100 * done,
                                 text.empty() ? "" : "  ", text, remaining(done));
  line.resize(std::min(line.size(), terminal_width(out_) - 1));
  fmt::print(out_, "\r\x1b[K{}", line);
  std::fflush(out_);
}

void Progress::finish(std::string_view outcome) {
  if (verbosity_ == Verbosity::quiet) return;
  clear_line();
  fmt::print(out_, "[{}/{}] {}  {}, {}\n", index_ + 1, points_, title_, outcome,
             format_duration(seconds_between(point_start_, SteadyClock::now())));
  std::fflush(out_);
}

void Progress::detail(std::string_view line) {
  if (verbosity_ != Verbosity::verbose) return;
  clear_line();
  fmt::print(out_, "      {}\n", line);
}

void Progress::clear_line() {
  if (terminal_ && verbosity_ != Verbosity::quiet) fmt::print(out_, "\r\x1b[K");
}

std::string Progress::remaining(double done) const {
  const double spent = seconds_between(start_, SteadyClock::now());
  const double part = (index_ + done) / points_;
  if (spent < kEarliestEta || part <= 0) return {};
  return fmt::format("  about {} left", format_duration(spent / part - spent));
}

std::string format_duration(double seconds) {
  if (seconds < 10) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<long>(std::lround(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

}  // namespace sparkmpi::mpi
