#pragma once
// Bootstrap intervals over launches: a launch is drawn with everything in it, since its ranks and samples are
// not independent of one another.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace sparkmpi::analysis {

struct Interval {
  double low, high;
};

/// Below this many launches BCa's acceleration is estimated from too little (SCIENCE: say so).
inline constexpr std::size_t kFewLaunchesForBca = 15;

/// The quantiles of the replicates (Efron and Tibshirani 1993, chapter 13).
Interval percentile_interval(std::span<const double> replicates, double level);

/// Bias-corrected and accelerated (Efron 1987). `jackknife` holds, for each sample that was resampled, the
/// statistic without each of its launches in turn. NaN when the bias can't be told: all replicates on one
/// side.
Interval bca_interval(std::span<const double> replicates, double observed,
                      std::span<const std::vector<double>> jackknife, double level);

/// A bootstrap of the difference mean(b) − mean(a), launches being drawn within each group.
struct Bootstrap {
  std::vector<double> replicates;
  std::vector<std::vector<double>> jackknife;  ///< one list for each sample that is drawn from
};
Bootstrap bootstrap_difference(std::span<const double> a, std::span<const double> b, std::size_t resamples,
                               std::uint64_t seed);

/// The same for one mean: of launches, or of differences within launches that have both groups.
Bootstrap bootstrap_mean(std::span<const double> values, std::size_t resamples, std::uint64_t seed);

}  // namespace sparkmpi::analysis
