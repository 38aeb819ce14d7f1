#pragma once
// A file's launches before they go into the table: nothing of a file that turns out to be broken stays
// behind.

#include <string>
#include <vector>

#include "analysis/table.hpp"

namespace sparkmpi::analysis {

struct StagedSeries {
  Metric metric;
  std::size_t rank = 0;  ///< index into the launch's ranks
  std::vector<double> values;
};

struct StagedPoint {
  Point point;
  std::vector<StagedSeries> series;
};

struct StagedLaunch {
  Launch launch;
  std::vector<Rank> ranks = {Rank{}};
  std::vector<StagedPoint> points;
};

void add_staged(std::vector<StagedLaunch> launches, Table& table);

}  // namespace sparkmpi::analysis
