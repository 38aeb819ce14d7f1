#include "kernels/charge/verdict.hpp"

#include <fmt/format.h>

#include <cmath>

namespace sparkmpi::kernels::charge {

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::uncounted:
      return "uncounted";
    case Verdict::counted:
      return "counted";
    case Verdict::double_counted:
      return "double-counted";
    case Verdict::indeterminate:
      return "indeterminate";
    case Verdict::not_answered:
      return "not answered";
  }
  return "unknown";
}

Verdict judge(const Slope& slope, double tolerance) {
  if (std::isnan(slope.value)) return Verdict::not_answered;
  const auto within = [&](double centre) {
    return slope.low() >= centre - tolerance && slope.high() <= centre + tolerance;
  };
  if (within(0)) return Verdict::uncounted;
  if (within(1)) return Verdict::counted;
  if (within(2)) return Verdict::double_counted;
  return Verdict::indeterminate;
}

std::string failed_control(const std::vector<Control>& controls) {
  for (const Control& control : controls) {
    if (control.slope.low() <= 1 + kTolerance && control.slope.high() >= 1 - kTolerance) continue;
    if (std::isnan(control.slope.value)) continue;
    return fmt::format("{} shows {:.2f} ± {:.2f} for {}, where 1 is certain", control.ledger,
                       control.slope.value, control.slope.half_width, control.allocator);
  }
  return {};
}

std::string doubtful_control(const std::vector<Control>& controls) {
  for (const Control& control : controls) {
    if (judge(control.slope) != Verdict::indeterminate || !failed_control({control}).empty()) continue;
    return fmt::format("{} shows {:.2f} ± {:.2f} for {}: other processes use memory at the same time",
                       control.ledger, control.slope.value, control.slope.half_width, control.allocator);
  }
  return {};
}

}  // namespace sparkmpi::kernels::charge
