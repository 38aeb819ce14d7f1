#include "analysis/formats/staged.hpp"

#include <algorithm>

namespace sparkmpi::analysis {

void add_staged(std::vector<StagedLaunch> launches, Table& table) {
  for (StagedLaunch& staged : launches) {
    // A launch may say that it has more ranks than have values.
    staged.launch.ranks = std::max(staged.launch.ranks, static_cast<int>(staged.ranks.size()));
    const std::uint32_t launch = table.add(std::move(staged.launch));
    std::vector<std::uint32_t> ranks;
    for (Rank& rank : staged.ranks) {
      rank.launch = launch;
      ranks.push_back(table.add(std::move(rank)));
    }
    for (StagedPoint& staged_point : staged.points) {
      staged_point.point.launch = launch;
      const std::string kernel = staged_point.point.kernel;
      const std::uint32_t point = table.add(std::move(staged_point.point));
      for (const StagedSeries& series : staged_point.series)
        table.add(point, ranks.at(series.rank), table.add(series.metric, kernel), series.values);
    }
  }
}

}  // namespace sparkmpi::analysis
