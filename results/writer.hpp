#pragma once
// The result file as it grows: one commit per point, each of them atomic.

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "results/metric.hpp"
#include "results/record.hpp"

namespace sparkmpi::results {

/// Writes docs/result-file.md's layout. Every commit makes a complete new file beside the old one and renames
/// it into place after fsync, so whatever dies at whatever moment, the path holds a file with every earlier
/// commit. Only rank 0 has a writer.
class ResultWriter {
 public:
  /// Creates the file with the run's and ranks' facts and no kernel. Throws UsageError when `path` exists and
  /// `force` is false, and Error when its directory can't be written, each before anything is measured.
  ResultWriter(std::filesystem::path path, bool force, const RunInfo& run, std::span<const RankInfo> ranks);
  ~ResultWriter();
  ResultWriter(const ResultWriter&) = delete;             ///< owns a file
  ResultWriter& operator=(const ResultWriter&) = delete;  ///< owns a file

  /// Adds `/kernels/NNNN_name` with the records of all ranks, in rank order. `metrics` declares every metric
  /// that a series names. Throws Error (disk full, …); the file then still holds all earlier commits, and
  /// this point is tried to be saved under $TMPDIR instead, which the message says.
  void commit(const Point& point, std::span<const MetricInfo> metrics, std::span<const KernelRecord> records);

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  std::vector<std::uint8_t>
      first_image_;  ///< the file before any kernel, to rescue a point into another place
};

}  // namespace sparkmpi::results
