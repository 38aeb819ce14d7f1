#pragma once
// A result file back as plain structs, whoever wrote it.

#include <filesystem>
#include <string>
#include <vector>

#include "results/metric.hpp"
#include "results/record.hpp"

namespace sparkmpi::results {

/// A metric as the file declares it (owning strings, unlike MetricInfo's literals).
struct StoredMetric {
  std::string name, unit, meaning;
  Better better = Better::neither;
  Origin origin = Origin::measured;
};

struct StoredKernel {
  Point point;
  std::vector<StoredMetric> metrics;
  std::vector<KernelRecord> ranks;  ///< in rank order
};

struct ResultFile {
  RunInfo run;
  std::vector<RankInfo> ranks;
  std::vector<StoredKernel> kernels;  ///< in point order
};

/// Throws UsageError when `path` is no sparkmpi result file or of a newer format, Error when it can't be
/// read.
ResultFile read_result(const std::filesystem::path& path);

}  // namespace sparkmpi::results
