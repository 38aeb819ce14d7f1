#pragma once
// Which experts a token goes to when its place decides and not its router: what makes two ways of computing a
// mixture of experts comparable, since a rounding can then send no token elsewhere.

#include <cstdint>
#include <limits>
#include <optional>

namespace sparkmpi::kernels::inference {

struct PrescribedRouting {
  int experts = 0;  ///< of a layer
  int chosen = 0;   ///< of them for a token
  int shift = 0;    ///< at least 0

  /// None without a shift, or for a model without experts.
  static constexpr std::optional<PrescribedRouting> of(int experts, int chosen, std::optional<int> shift) {
    if (!shift || experts == 0) return std::nullopt;
    return PrescribedRouting{experts, chosen, *shift};
  }

  /// Texts with the shifts 0 … texts() − 1 bring the tokens of any one position to every expert of every
  /// layer.
  constexpr int texts() const { return (experts + chosen - 1) / chosen; }

  /// Whether the token at `position` goes to this expert of this layer: to `chosen` neighbours, each position
  /// and shift to the next ones, after the last expert to the first.
  constexpr bool takes(int expert, std::int64_t position, int layer) const {
    const auto first = static_cast<int>((chosen * (position + shift) + layer) % experts);
    return (expert - first + experts) % experts < chosen;
  }

  /// What stands for the router's logit x of that token and expert: −∞ where the token does not go there, and
  /// x / (1 + |x|) where it does, so that every weight follows its logit and none is next to nothing.
  constexpr float logit(float x, int expert, std::int64_t position, int layer) const {
    if (!takes(expert, position, layer)) return -std::numeric_limits<float>::infinity();
    return x / (1 + (x < 0 ? -x : x));
  }
};

}  // namespace sparkmpi::kernels::inference
