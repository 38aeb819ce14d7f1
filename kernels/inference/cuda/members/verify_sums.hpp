#pragma once
// Sums over the members, tried out before anything is computed with them.

#include <cstddef>

#include "kernels/inference/cuda/members/all_reduce.hpp"

namespace sparkmpi::kernels::inference::gpu {

/// Collective: adds up `count` known values. Throws Error when a sum is wrong or when the members' results
/// differ in a bit, which would let them drift apart.
void verify_sums(AllReduce& sums, Group& group, std::size_t count);

}  // namespace sparkmpi::kernels::inference::gpu
