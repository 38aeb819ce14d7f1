#include "launchers/study/progress.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <numeric>

namespace sparkmpi::launchers::study {
namespace {

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

bool rewrites(std::FILE* out) {
  const char* const term = std::getenv("TERM");
  return isatty(fileno(out)) == 1 && term != nullptr && std::string_view(term) != "dumb";
}

std::size_t columns_of(std::FILE* out) {
  constexpr std::size_t kUsual = 80;
  winsize size{};
  return ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kUsual;
}

bool continues_code_point(char c) {
  return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

}  // namespace

double Estimate::of(const std::string& kind) const {
  const auto found = taken_.find(kind);
  if (found != taken_.end()) return mean(found->second);
  std::vector<double> all;
  for (const auto& [name, seconds] : taken_) all.insert(all.end(), seconds.begin(), seconds.end());
  return all.empty() ? 0 : mean(all);
}

std::string duration_text(double seconds) {
  if (seconds < 90) return fmt::format("{:.0f} s", seconds);
  if (seconds < 5400) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

std::string left_text(int trials, double seconds, double now) {
  if (trials == 0 && seconds <= 0) return "the last one";
  std::string text = trials == 0 ? "the last one" : fmt::format("{} left", trials);
  if (seconds <= 0) return text;
  const auto end = static_cast<std::time_t>(now + seconds);
  constexpr double kDay = 86400;
  return text + fmt::format(", about {}, until {}", duration_text(seconds),
                            seconds < kDay ? fmt::format("{:%H:%M}", fmt::localtime(end))
                                           : fmt::format("{:%d %b %H:%M}", fmt::localtime(end)));
}

std::string cut_to(std::string_view text, std::size_t columns) {
  std::string out;
  std::size_t used = 0, before_last = 0;
  for (const char c : text) {
    if (!continues_code_point(c)) {
      if (used == columns) return out.substr(0, before_last) + "…";
      before_last = out.size();
      ++used;
    }
    out += c;
  }
  return out;
}

Progress::Progress(std::FILE* out) : Progress(out, rewrites(out)) {}

void Progress::clear() {
  if (!written_) return;
  fmt::print(out_, "\r\x1b[K");  // ECMA-48: to the line's begin, erase it
  std::fflush(out_);
  written_ = false;
}

void Progress::now(std::string_view line) {
  if (!live_) return;
  fmt::print(out_, "\r{}\x1b[K", cut_to(line, columns_of(out_) - 1));
  std::fflush(out_);
  written_ = true;
}

void Progress::step(std::string_view line) {
  if (live_) {
    now(line);
  } else {
    keep(line);
  }
}

void Progress::keep(std::string_view line) {
  clear();
  fmt::print(out_, "{}\n", line);
  std::fflush(out_);
}

}  // namespace sparkmpi::launchers::study
