#pragma once
// A result file back as plain structs, whoever wrote it.

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
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

/// What to load; the rest of the file is not touched. An empty function means everything.
struct ReadOptions {
  bool ledgers = true;
  bool timelines = true;
  bool labels = true;
  std::function<bool(const StoredMetric& metric, std::string_view axis)> metric;
  std::function<bool(std::string_view name)> rank_fact;    ///< of the table of ranks
  std::function<bool(std::string_view name)> kernel_fact;  ///< of a kernel's ranks
};

/// Throws UsageError when `path` is no sparkmpi result file or of a newer format, Error when it can't be
/// read.
ResultFile read_result(const std::filesystem::path& path, const ReadOptions& options = {});

}  // namespace sparkmpi::results
