#pragma once
// Checks that an engine computes what it claims before it is timed.

#include <cstdint>
#include <optional>

#include "kernels/inference/engine.hpp"

namespace sparkmpi::kernels::inference {

/// Largest differences of logits that pass, in their standard deviations.
struct VerificationLimits {
  double computed = 0;  ///< where nothing but roundings can make a difference
  double routed = 0;    ///< with experts, where the router chooses them
};

struct Verification {
  double computed = 0;           ///< largest difference found, as the limits
  std::optional<double> routed;  ///< of the best text; nothing where there are no experts
};

/// Runs the same tokens as one prefill (matrix products by the library) and one by one (our kernels): two
/// implementations of one function, whose logits after the last token are compared. Throws Error when they
/// are further apart than a limit, when one is not finite, or when all are equal, so that nothing was
/// compared. Needs room for kVerificationTokens in the cache; warms the measured path on the way.
///
/// With experts a rounding can send a token elsewhere where two router logits are near each other, which
/// moves the logits by some tenths and is no fault. So experts are prescribed (prescribed_routing.hpp) in
/// texts that between them take every expert of every layer to a last token, and every one of these texts is
/// held to `computed`. What the router chooses is checked apart: any of kTextsWithExperts texts has to agree
/// within `routed`; a wrong choice shows in every one.
Verification verify_engine(Engine& engine, std::uint64_t seed, const VerificationLimits& limits);
inline constexpr std::int64_t kVerificationTokens = 12;
inline constexpr std::uint64_t kTextsWithExperts = 16;
/// Where activations are single precision, and only keys and values are rounded to BF16 (measured: up to
/// 0.02).
inline constexpr VerificationLimits kSinglePrecisionLimits{0.05, 0.05};
/// Where activations are rounded to BF16 before every product, which leaves each logit with an error of about
/// 1 % of the logits' spread, so that the largest of 10^5 differs by 5 to 8 % (measured: up to 0.07).
inline constexpr VerificationLimits kBf16Limits{0.2, 0.2};

}  // namespace sparkmpi::kernels::inference
