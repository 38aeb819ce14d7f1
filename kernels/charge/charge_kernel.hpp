#pragma once
// `charge`: by how much every ledger moves for each byte that is really allocated.

#include "kernels/kernel.hpp"

namespace sparkmpi::kernels::charge {

const KernelInfo& info();

}  // namespace sparkmpi::kernels::charge
