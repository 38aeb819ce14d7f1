#pragma once
// `pressure`: how much memory can really be had, by what the next byte is refused, and what reading costs on
// the way there.

#include "kernels/kernel.hpp"

namespace sparkmpi::kernels::pressure {

const KernelInfo& info();

}  // namespace sparkmpi::kernels::pressure
