#include "analysis/scale_sentence.hpp"

#include <fmt/format.h>

#include <cmath>

#include "analysis/compare_sentence.hpp"

namespace sparkmpi::analysis {

std::string share_text(double share) {
  return std::isnan(share) ? "-" : fmt::format("{:.1f} %", 100 * share);
}

std::string share_text(const Interval& interval) {
  return std::isnan(interval.low) ? "-"
                                  : fmt::format("{:.1f}..{:.1f} %", 100 * interval.low, 100 * interval.high);
}

std::string fit_sentence(const ScaleCurve& curve, Scaling scaling) {
  if (std::isnan(curve.serial_share)) return {};
  const double share = curve.serial_share;
  if (scaling == Scaling::strong && share > 1)
    return "More ranks are slower than few here: no share that does not scale describes that.";
  constexpr std::size_t kLeast = 3;  // with fewer the fit goes through every point, whatever the law
  if (curve.points.size() < kLeast) {
    return fmt::format(
        "Two sizes: by {} law {} would not scale; a third size is needed to see whether it holds.",
        scaling == Scaling::strong ? "Amdahl's" : "Gustafson's", share_text(share));
  }
  std::string text = fmt::format("{}: {}", scaling == Scaling::strong ? "Amdahl's fit" : "Gustafson's fit",
                                 share < 0 ? "faster than in proportion, a share of " + share_text(share)
                                           : share_text(share) + " does not scale");
  if (!std::isnan(curve.serial_share_interval.low))
    text += fmt::format(" (95 % interval {})", share_text(curve.serial_share_interval));
  // Below a tenth of a per cent the limit is beyond any number of ranks that was measured.
  if (scaling == Scaling::strong && share >= 1e-3)
    text += fmt::format(", so at most {:.3g} times as fast", 1 / share);
  return text + ".";
}

std::string standout_sentence(const Standout& standout) {
  return fmt::format("{}{}: {} {} is at {}, {} from the median {} of {} {}s{}", standout.metric,
                     standout.condition.empty() ? "" : " (" + standout.condition + ")", standout.what,
                     standout.name, precise(standout.value, standout.unit), percent(standout.relative),
                     precise(standout.median, standout.unit), standout.of, standout.what,
                     std::isnan(standout.score) ? "" : fmt::format(" (modified z = {:.1f})", standout.score));
}

}  // namespace sparkmpi::analysis
