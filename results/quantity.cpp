#include "results/quantity.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>

#include "base/bytes.hpp"

namespace sparkmpi::results {
namespace {

std::string three_digits(double value) {
  const double size = std::abs(value);
  if (size >= 1e6) return fmt::format("{:.3g}", value);
  if (size >= 99.95 || (value == std::floor(value) && size < 1e6)) return fmt::format("{:.0f}", value);
  return size >= 9.995 ? fmt::format("{:.1f}", value) : fmt::format("{:.2f}", value);
}

std::string si(double value, std::string_view unit) {
  struct Prefix {
    double scale;
    std::string_view name;
  };
  constexpr std::array<Prefix, 8> kPrefixes = {
      {{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}, {1, ""}, {1e-3, "m"}, {1e-6, "u"}, {1e-9, "n"}}};
  for (const Prefix& prefix : kPrefixes) {
    if (std::abs(value) >= prefix.scale)
      return fmt::format("{} {}{}", three_digits(value / prefix.scale), prefix.name, unit);
  }
  return fmt::format("{} {}", three_digits(value), unit);
}

}  // namespace

std::string format_quantity(double value, std::string_view unit) {
  if (std::isnan(value)) return "-";
  if (std::isinf(value)) return value > 0 ? "no limit" : "-inf";
  if (unit == "B") return value < 0 ? "-" + format_bytes(-value) : format_bytes(value);
  if (unit == "s") return std::abs(value) >= 1 || value == 0 ? three_digits(value) + " s" : si(value, "s");
  if (unit == "B/s" || unit == "flop/s" || unit == "Hz") return si(value, unit);
  if (unit == "1/s") return three_digits(value) + " /s";
  if (unit == "1") return three_digits(value);
  return three_digits(value) + " " + std::string(unit);
}

}  // namespace sparkmpi::results
