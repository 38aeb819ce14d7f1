#pragma once
// From options as typed to points: lists and ranges make a cross product.

#include <map>
#include <string>
#include <string_view>

#include "kernels/plan.hpp"

namespace sparkmpi::cli {

/// Option name → text as typed; a flag that is given has "1".
using TypedOptions = std::map<std::string, std::string, std::less<>>;

/// Appends one kernel's points to the plan, the last listed option varying fastest. Options that the kernel
/// does not have are ignored (they are another kernel's). Throws UsageError for values out of range and for
/// more than 10,000 points.
void add_points(const kernels::KernelInfo& kernel, const TypedOptions& typed, kernels::Plan& plan);

}  // namespace sparkmpi::cli
