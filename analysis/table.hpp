#pragma once
// The table of observations: everything that any number of launches measured, whoever wrote the files.
// Columns that repeat (launch, rank, metric) are kept once; each series of samples is a row that refers to
// them, with its location computed when it comes in, so that ten thousand launches fit without their raw
// samples.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "results/metric.hpp"

namespace sparkmpi::analysis {

using Factors = std::map<std::string, std::string, std::less<>>;

struct Metric {
  std::string name, unit, meaning;
  results::Better better = results::Better::neither;
  results::Origin origin = results::Origin::measured;

  /// Work over time: averaged harmonically over samples.
  bool is_rate() const { return unit.ends_with("/s"); }
};

/// One start of the program: the unit of every comparison.
struct Launch {
  std::string file, study, trial, environment, memory_model, block;
  std::string start_time;       ///< ISO 8601 in UTC; sorts as text. Empty: not known
  std::optional<double> order;  ///< the study's own numbering of its trials
  std::size_t position = 0;     ///< in time among all launches, from 0 (Table::finish)
  bool position_known = false;  ///< from order or start_time, not only from the order of the files
  int ranks = 1, nodes = 1;
  std::int64_t points_planned = 0;  ///< 0: not known
  Factors facts;                    ///< everything else that may serve as a factor
};

/// One kernel with one value of each parameter in one launch.
struct Point {
  std::uint32_t launch = 0;
  std::string kernel, model;
  Factors parameters;  ///< without the model
  Factors facts;       ///< of rank 0: weights_hash, weights_source, …
  bool complete = true;
  std::string error;
};

struct Rank {
  std::uint32_t launch = 0;
  std::int32_t rank = 0, node = 0;
  std::string host, device, device_name;
  double device_memory_bytes = 0;  ///< 0: not known
};

/// The location of one series' values that are not NaN.
struct Location {
  std::uint32_t count = 0;
  double mean = 0, median = 0, harmonic = 0;
};

/// All samples of one metric at one point on one rank.
struct Series {
  std::uint32_t point, rank, metric;  ///< indices
  std::uint64_t first = 0;            ///< raw samples: into Table::samples(), when they were kept
  std::uint32_t length = 0;
  Location location;

  /// Over the samples of equal work: harmonic for rates, arithmetic otherwise.
  double mean(const Metric& of) const { return of.is_rate() ? location.harmonic : location.mean; }
};

class Table {
 public:
  explicit Table(bool keep_samples = false) : keep_samples_(keep_samples) {}

  std::uint32_t add(Launch launch);
  std::uint32_t add(Point point);
  std::uint32_t add(Rank rank);
  /// The metric's index; the first declaration of a name and unit counts, but each kernel has its own
  /// meaning.
  std::uint32_t add(const Metric& metric, const std::string& kernel = {});
  /// A series whose values are all NaN is left out.
  void add(std::uint32_t point, std::uint32_t rank, std::uint32_t metric, std::span<const double> values);
  /// Gives every launch these facts; environment, study, block and memory_model go into their columns, model
  /// into every point.
  void set_facts(const Factors& facts);
  /// Puts launches into their order in time; call it once everything is in.
  void finish();

  const std::vector<Launch>& launches() const { return launches_; }
  const std::vector<Point>& points() const { return points_; }
  const std::vector<Rank>& ranks() const { return ranks_; }
  const std::vector<Metric>& metrics() const { return metrics_; }
  const std::vector<Series>& series() const { return series_; }
  /// What `kernel` means by the metric; for "" what the first that declared it does.
  const std::string& meaning(const std::string& kernel, std::uint32_t metric) const;
  /// Empty unless samples were kept.
  std::span<const double> samples(const Series& series) const;
  /// Metrics that no rank has a value of at a point where some rank holds NaN, and at how many points. A rank
  /// without values beside others that have some is as it should be: members of a group that divides a model
  /// leave its rate to their first.
  std::map<std::string, std::size_t, std::less<>> empty_metrics() const;

  const Launch& launch_of(const Series& series) const { return launches_[points_[series.point].launch]; }

 private:
  bool keep_samples_;
  std::vector<Launch> launches_;
  std::vector<Point> points_;
  std::vector<Rank> ranks_;
  std::vector<Metric> metrics_;
  std::map<std::pair<std::string, std::string>, std::uint32_t> metric_index_;
  std::map<std::pair<std::uint32_t, std::string>, std::string> meanings_;  ///< by metric and kernel
  std::vector<Series> series_;
  std::vector<double> samples_;
  std::set<std::pair<std::uint32_t, std::uint32_t>> empty_;  ///< point and metric of series that are left out
};

}  // namespace sparkmpi::analysis
