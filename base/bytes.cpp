#include "base/bytes.hpp"

#include <fmt/format.h>

#include <array>
#include <cctype>
#include <charconv>
#include <cmath>

#include "base/error.hpp"

namespace sparkmpi {
namespace {

constexpr std::array<std::string_view, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};

/// The power of 1024 behind a suffix ("", "B", "k", "MB", "gib"), or -1.
int exponent_of(std::string_view suffix) {
  std::string lower;
  for (const char c : suffix) lower.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
  if (lower.empty() || lower == "b") return 0;
  const auto letter = std::string_view("kmgt").find(lower.front());
  const std::string_view rest = std::string_view(lower).substr(1);
  if (letter == std::string_view::npos || !(rest.empty() || rest == "b" || rest == "ib")) return -1;
  return static_cast<int>(letter) + 1;
}

}  // namespace

std::uint64_t parse_bytes(std::string_view text, std::string_view what) {
  const auto bad = [&](std::string_view why) {
    return UsageError(fmt::format("{}: '{}' {}; write a size like 4096, 512M or 1.5GiB", what, text, why));
  };
  double number = 0;
  const auto [end, status] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (status != std::errc{}) throw bad("is no size");
  const int exponent = exponent_of({end, static_cast<std::size_t>(text.data() + text.size() - end)});
  if (exponent < 0) throw bad("has an unknown unit");
  if (std::signbit(number) || !std::isfinite(number)) throw bad("is negative");
  const double bytes = std::ldexp(number, 10 * exponent);
  if (bytes >= 0x1p63) throw bad("is too large");
  // Exact for whole numbers up to 2^53 in every unit; fractions of a byte are dropped.
  std::uint64_t whole = 0;
  const auto [digits_end, digits_status] = std::from_chars(text.data(), end, whole);
  if (digits_status == std::errc{} && digits_end == end) return whole << (10 * exponent);
  return static_cast<std::uint64_t>(bytes);
}

std::string format_bytes(double bytes) {
  std::size_t unit = 0;
  double value = bytes;
  while (std::fabs(value) >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  if (unit == 0) return fmt::format("{:.0f} B", value);
  const double magnitude = std::fabs(value);
  const int decimals = magnitude >= 99.95 ? 0 : magnitude >= 9.995 ? 1 : 2;
  return fmt::format("{:.{}f} {}", value, decimals, kUnits.at(unit));
}

}  // namespace sparkmpi
