#pragma once
// Every kernel the program has.

#include <span>
#include <string_view>

#include "kernels/kernel.hpp"

namespace sparkmpi::kernels {

std::span<const KernelInfo> registry();

/// Throws UsageError that lists the kernels there are.
const KernelInfo& find_kernel(std::string_view name);

}  // namespace sparkmpi::kernels
