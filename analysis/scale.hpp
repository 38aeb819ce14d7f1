#pragma once
// Speed-up and efficiency over ranks or nodes, and ranks and nodes that stand apart.

#include <cstdint>
#include <string>
#include <vector>

#include "analysis/statistics/bootstrap.hpp"
#include "analysis/units.hpp"

namespace sparkmpi::analysis {

enum class Scaling : std::uint8_t {
  weak,    ///< every rank has its own work: a rank's rate or time should stay as it is
  strong,  ///< all ranks share one work: the rate should grow, the time shrink, in proportion
};

struct ScaleOptions {
  bool by_nodes = false;  ///< ranks otherwise
  Scaling scaling = Scaling::weak;
  std::vector<std::string> metrics;  ///< empty: all rates and times that are compared
  std::uint64_t seed = 1;
};

/// One size.
struct ScalePoint {
  double size = 0;  ///< ranks or nodes
  std::size_t launches = 0;
  double value = 0;                    ///< mean of launches of the mean over ranks
  double speedup = 1, efficiency = 1;  ///< against the smallest size
  Interval efficiency_interval{0, 0};  ///< 95 %, launches drawn at both sizes; NaN with one launch of each
};

struct ScaleCurve {
  std::string kernel, model, condition;
  Metric metric;
  std::vector<ScalePoint> points;  ///< by size
  /// Amdahl (strong): 1/S = f + (1 − f)/n; Gustafson (weak): S = n − f·(n − 1), n relative to the smallest
  /// size; least squares. NaN with one size.
  double serial_share = 0;
  Interval serial_share_interval{0, 0};
};

/// A node or rank whose values stand apart from the others of the same launches.
struct Standout {
  std::string kernel, model, condition, metric, unit, what, name;  ///< what: "node" or "rank"
  double value = 0, median = 0, relative = 0;
  double score = 0;    ///< modified z; NaN with fewer than five, where only the difference is given
  std::size_t of = 0;  ///< how many there are
};

struct ScaleResult {
  ScaleOptions options;
  std::vector<ScaleCurve> curves;
  std::vector<Standout> standouts;    ///< flagged, never removed
  std::vector<Standout> differences;  ///< fewer than five: the largest signed difference from the median
  std::vector<std::string> notes;
};

/// Throws UsageError when no launch has a rate or a time.
ScaleResult scale(const Table& table, const ScaleOptions& options);

}  // namespace sparkmpi::analysis
