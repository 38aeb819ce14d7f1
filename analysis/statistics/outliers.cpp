#include "analysis/statistics/outliers.hpp"

#include <algorithm>
#include <cmath>

#include "analysis/statistics/sample.hpp"

namespace sparkmpi::analysis {

std::vector<double> modified_z_scores(std::span<const double> values, double resolution) {
  if (finite(values).size() < kFewestForScores) return {};
  const double centre = median(values);
  std::vector<double> deviations;
  for (const double value : values) deviations.push_back(std::abs(value - centre));
  const double mad = median(deviations);
  const double spread = std::max(resolution, mad > 0 ? mad / 0.6745 : 1.2533 * mean(deviations));
  std::vector<double> scores;
  for (const double value : values) scores.push_back(spread > 0 ? (value - centre) / spread : 0);
  return scores;
}

}  // namespace sparkmpi::analysis
