#pragma once
// `kv_budget`: the KV cache that each sizing rule would take on this node, and how it moves with page cache.

#include "kernels/kernel.hpp"

namespace sparkmpi::kernels::kv_budget {

const KernelInfo& info();

}  // namespace sparkmpi::kernels::kv_budget
