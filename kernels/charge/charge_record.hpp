#pragma once
// The charge experiment in a result file, and back (docs/result-file.md has the layout).

#include <span>
#include <vector>

#include "kernels/charge/matrix.hpp"
#include "kernels/recorder.hpp"
#include "results/metric.hpp"
#include "results/record.hpp"

namespace sparkmpi::kernels::charge {

std::span<const results::MetricInfo> charge_metrics();

/// Every change of every level since "before" of its cell, and what the matrix makes of them.
void record_charges(std::span<const Observation> observations, const Matrix& matrix, Recorder& recorder);

/// The cells as record_charges() has stored them, each level starting from 0: charge_matrix() of them is the
/// matrix of the originals. Throws Error when the record is not whole.
std::vector<Observation> stored_observations(const results::KernelRecord& record);

}  // namespace sparkmpi::kernels::charge
