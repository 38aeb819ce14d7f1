#pragma once
// Speed-up and efficiency over ranks, nodes or the ranks that share one model, and what stands apart.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/statistics/bootstrap.hpp"
#include "analysis/units.hpp"

namespace sparkmpi::analysis {

enum class Scaling : std::uint8_t {
  weak,    ///< every rank has its own work: a rank's rate or time should stay as it is
  strong,  ///< all ranks share one work: the rate should grow, the time shrink, in proportion
};

/// What grows.
enum class Over : std::uint8_t {
  ranks,
  nodes,
  tp,  ///< the ranks that one model is divided over (tensor parallel degree), at a fixed number of such
       ///< groups
};
std::string_view to_string(Over over);

struct ScaleOptions {
  Over over = Over::ranks;
  Scaling scaling = Scaling::weak;
  std::vector<std::string> metrics;  ///< empty: all rates and times that are compared
  std::uint64_t seed = 1;
};

/// One size.
struct ScalePoint {
  double size = 0;  ///< ranks, nodes, or ranks that share a model
  std::size_t launches = 0;
  double value = 0;                    ///< mean of launches of the mean over the ranks that have a value
  double speedup = 1, efficiency = 1;  ///< against the smallest size
  /// 95 %, launches drawn at both sizes; NaN with one launch of each.
  Interval speedup_interval{0, 0}, efficiency_interval{0, 0};
};

struct ScaleCurve {
  std::string kernel, model, condition;
  Metric metric;
  std::uint32_t metric_index = 0;  ///< in the table
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

/// Over what strong scaling goes when nobody says: tp where launches differ in it, else ranks.
Over strong_over(const Table& table);

/// Throws UsageError when no launch has a rate or a time, for tp where no launch divides a model, and for tp
/// as weak scaling.
ScaleResult scale(const Table& table, const ScaleOptions& options);

}  // namespace sparkmpi::analysis
