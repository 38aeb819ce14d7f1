#pragma once
// Nodes and ranks that stand apart from the others of the same launches.

#include <functional>

#include "analysis/scale.hpp"

namespace sparkmpi::analysis {

/// Fills standouts and differences of `result` for the metrics that `wanted` takes.
void find_standouts(const Table& table, const std::function<bool(const Metric&)>& wanted,
                    ScaleResult& result);

}  // namespace sparkmpi::analysis
