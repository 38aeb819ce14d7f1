#pragma once
// From observations to the values that may be compared: one for each launch. Samples are nested in ranks,
// ranks in nodes, nodes in launches; only launches are independent.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/table.hpp"

namespace sparkmpi::analysis {

/// A launch's value at one level of the factor: the mean over nodes of the mean over ranks of each rank's
/// location.
struct Unit {
  std::uint32_t launch = 0;
  std::uint32_t level = 0;  ///< index into Questions::levels
  double value = 0;
};

/// One metric under one condition: everything but the factor is the same.
struct Question {
  std::string kernel, model;
  std::string condition;  ///< "batch=4 ranks=2": what tells it from its neighbours; empty when nothing varies
  std::uint32_t metric = 0;
  std::vector<Unit> units;  ///< by launch, then level
};

struct Questions {
  std::string factor;
  std::vector<std::string> levels;  ///< sorted; numbers by value
  /// Some launch has several levels (nodes, ranks, devices): levels are then compared within launches.
  bool within_launch = false;
  std::size_t incomplete_points = 0;  ///< left out
  std::vector<Question> questions;    ///< by kernel, model, condition, metric
};

enum class LocationOf : std::uint8_t { mean, median };

/// Every metric of the table by `factor`: environment, model, node, rank, host, device (its name), device_id,
/// kernel, study, trial, file, block, memory_model, ranks, nodes, any kernel parameter, or any fact of a
/// launch. Throws UsageError for a factor that nothing has, with near names.
Questions questions_by(const Table& table, std::string_view factor, LocationOf location = LocationOf::mean);

/// Like questions_by() with one level, the launch itself: one value for each launch.
Questions launch_values(const Table& table, LocationOf location = LocationOf::mean);

}  // namespace sparkmpi::analysis
