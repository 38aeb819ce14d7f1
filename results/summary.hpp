#pragma once
// A result file in numbers: every figure is computed here from the raw samples.

#include <string>
#include <vector>

#include "results/reader.hpp"
#include "results/statistics.hpp"

namespace sparkmpi::results {

struct MetricSummary {
  StoredMetric metric;
  std::string axis;
  Spread pooled;              ///< of all ranks' samples
  std::vector<Spread> ranks;  ///< of each rank's
};

/// One ledger on one rank.
struct LedgerSummary {
  std::string name, unit;
  double before, after;
  double lowest, highest;  ///< of snapshots and time line
};

/// Every metric that has samples, in the kernel's order.
std::vector<MetricSummary> summarise_metrics(const StoredKernel& kernel);
/// Every ledger in bytes that `rank` has read.
std::vector<LedgerSummary> summarise_ledgers(const StoredKernel& kernel, std::size_t rank);

}  // namespace sparkmpi::results
