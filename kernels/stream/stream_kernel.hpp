#pragma once
// `stream`: the bandwidth of memory and caches, by what is done with it.

#include "kernels/kernel.hpp"

namespace sparkmpi::kernels::stream {

const KernelInfo& info();

}  // namespace sparkmpi::kernels::stream
