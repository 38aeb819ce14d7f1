#include "results/summary.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sparkmpi::results {

std::vector<MetricSummary> summarise_metrics(const StoredKernel& kernel) {
  std::vector<MetricSummary> summaries;
  for (const StoredMetric& metric : kernel.metrics) {
    MetricSummary summary{metric, {}, {}, {}};
    std::vector<double> pooled;
    for (const KernelRecord& record : kernel.ranks) {
      const auto series = std::ranges::find(record.series, metric.name, &Series::metric);
      const std::vector<double> none;
      const std::vector<double>& values = series == record.series.end() ? none : series->values;
      if (series != record.series.end()) summary.axis = series->axis;
      pooled.insert(pooled.end(), values.begin(), values.end());
      summary.ranks.push_back(spread_of(values));
    }
    summary.pooled = spread_of(pooled);
    if (summary.pooled.count > 0) summaries.push_back(std::move(summary));
  }
  return summaries;
}

std::vector<LedgerSummary> summarise_ledgers(const StoredKernel& kernel, std::size_t rank) {
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  const KernelRecord& record = kernel.ranks.at(rank);
  std::vector<LedgerSummary> ledgers;
  const auto widen = [](LedgerSummary& ledger, double value) {
    if (std::isnan(value)) return;
    ledger.lowest = std::isnan(ledger.lowest) ? value : std::min(ledger.lowest, value);
    ledger.highest = std::isnan(ledger.highest) ? value : std::max(ledger.highest, value);
  };
  for (const ledger::Snapshot& snapshot : record.snapshots) {
    for (const ledger::Reading& reading : snapshot.readings) {
      if (reading.unit != "B" || reading.answer != ledger::Answer::value) continue;
      auto found = std::ranges::find(ledgers, reading.name, &LedgerSummary::name);
      if (found == ledgers.end())
        found = ledgers.insert(ledgers.end(), {reading.name, reading.unit, kNone, kNone, kNone, kNone});
      if (snapshot.moment == "before") found->before = reading.value;
      if (snapshot.moment == "after") found->after = reading.value;
      widen(*found, reading.value);
    }
  }
  for (const ledger::TimelineColumn& column : record.timeline.columns) {
    const auto found = std::ranges::find(ledgers, column.name, &LedgerSummary::name);
    if (found == ledgers.end()) continue;
    for (const double value : column.values) widen(*found, value);
  }
  return ledgers;
}

}  // namespace sparkmpi::results
