#include "analysis/formats/staged.hpp"

namespace sparkmpi::analysis {

void add_staged(std::vector<StagedLaunch> launches, Table& table) {
  for (StagedLaunch& staged : launches) {
    staged.launch.ranks = static_cast<int>(staged.ranks.size());
    const std::uint32_t launch = table.add(std::move(staged.launch));
    std::vector<std::uint32_t> ranks;
    for (Rank& rank : staged.ranks) {
      rank.launch = launch;
      ranks.push_back(table.add(std::move(rank)));
    }
    for (StagedPoint& staged_point : staged.points) {
      staged_point.point.launch = launch;
      const std::uint32_t point = table.add(std::move(staged_point.point));
      for (const StagedSeries& series : staged_point.series)
        table.add(point, ranks.at(series.rank), table.add(series.metric), series.values);
    }
  }
}

}  // namespace sparkmpi::analysis
