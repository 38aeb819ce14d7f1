#pragma once
// Checks that an engine computes what it claims before it is timed.

#include <cstdint>

#include "kernels/inference/engine.hpp"

namespace sparkmpi::kernels::inference {

/// Runs the same tokens as one prefill (matrix products by the library) and one by one (our kernels): two
/// implementations of one function. Returns the largest difference of the logits after the last token, in
/// their standard deviations. Throws Error when it is above `tolerance` or a logit is not finite. Needs room
/// for kVerificationTokens in the cache; warms the measured path on the way.
/// With experts a rounding can send a token elsewhere where two router logits are near each other, which
/// moves the logits by some tenths and is no fault: such a model passes when any of kTextsWithExperts random
/// texts agrees. A wrong product, routing or cache shows in every one.
double verify_engine(Engine& engine, std::uint64_t seed, double tolerance);
inline constexpr double kVerificationTolerance = 0.05;  ///< where activations are single precision
inline constexpr std::int64_t kVerificationTokens = 12;
inline constexpr std::uint64_t kTextsWithExperts = 16;

}  // namespace sparkmpi::kernels::inference
