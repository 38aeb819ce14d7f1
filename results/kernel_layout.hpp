#pragma once
// One point of a run as a group of the file, and back. docs/result-file.md is the description of it.

#include <span>
#include <string>

#include "results/hdf5_data.hpp"
#include "results/metric.hpp"
#include "results/reader.hpp"
#include "results/record.hpp"

namespace sparkmpi::results {

/// "0003_stream".
std::string kernel_group_name(const Point& point);

/// Writes the group below `kernels`. Throws std::logic_error for a series whose metric is not declared, or
/// whose axis has series of different lengths on one rank.
void write_kernel(hid_t kernels, const Point& point, std::span<const MetricInfo> metrics,
                  std::span<const KernelRecord> records);

StoredKernel read_kernel(hid_t group, const ReadOptions& options = {});

}  // namespace sparkmpi::results
