#pragma once
// What a run will do: points in order, each with the kernel it belongs to.

#include <vector>

#include "kernels/kernel.hpp"
#include "results/record.hpp"

namespace sparkmpi::kernels {

struct PlannedPoint {
  const KernelInfo* kernel = nullptr;  ///< from registry()
  results::Point point;
};

using Plan = std::vector<PlannedPoint>;

}  // namespace sparkmpi::kernels
