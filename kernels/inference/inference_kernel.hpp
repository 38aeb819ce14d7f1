#pragma once
// `inference`: a decoder-only transformer answering requests.

#include "kernels/kernel.hpp"

namespace sparkmpi::kernels::inference {

const KernelInfo& info();

}  // namespace sparkmpi::kernels::inference
