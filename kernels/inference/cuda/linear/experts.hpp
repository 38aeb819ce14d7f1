#pragma once
// Mixture of experts: routing, and the experts' products. Few tokens (decode, 1 to 8): each distinct expert's
// rows are read once a step, however many tokens chose it. Many tokens (prefill): pairs grouped by expert.
// What products.hpp says of activations, streams and errors holds here.

#include <cstdint>

#include "kernels/inference/cuda/linear/products.hpp"

namespace sparkmpi::kernels::inference::gpu {

inline constexpr int kMostExperts = 256, kMostChosen = 8;

enum class RouterOrder : std::uint8_t {
  top_k_then_softmax,  ///< gpt-oss; also Mixtral, whose renormalised softmax is the same
  softmax_then_top_k,  ///< weights of the whole softmax, not renormalised
};

/// Where routing puts its result; a pair is token·chosen + slot.
struct Routing {
  int chosen = 0;               ///< experts a token, ≤ kMostChosen
  std::int32_t* ids = nullptr;  ///< [tokens, chosen], best first
  float* weights = nullptr;     ///< [tokens, chosen]
  std::int32_t* active =
      nullptr;  ///< [kActiveWords], written for up to kMostVectors tokens: how many distinct experts
                ///< they chose, which, and each token's slot in each or -1
  std::int32_t* groups = nullptr;  ///< [group_words()], written for more tokens: pairs by expert
};
/// Distinct experts that kMostVectors tokens choose, at most.
inline constexpr int kMostActive = kMostVectors * kMostChosen;
inline constexpr int kActiveWords = 1 + kMostActive * (1 + kMostVectors);
/// In Routing::active: each token's slot in the active expert `index`.
template <class Word>
constexpr Word* slots_of(Word* active, int index) {
  return active + 1 + kMostActive + index * kMostVectors;
}
/// Pairs that are multiplied at a time when there are many.
inline constexpr int kGroupPairs = 64;
/// Words of Routing::groups: the first pair of each expert, the pairs in order of their expert, and a list of
/// {expert, first pair} of at most kGroupPairs pairs each behind its length.
constexpr int group_words(int experts, int pairs) {
  return experts + 1 + pairs + 1 + 2 * (pairs / kGroupPairs + experts);
}

class ExpertProducts {
 public:
  explicit ExpertProducts(const Products& products) : products_(products) {}

  /// From router logits fp32 [tokens, experts], any number of tokens. Ties go to the lower expert.
  void route(const float* logits, int tokens, int experts, RouterOrder order, const Routing& routing,
             const Launch& launch) const;

  /// y[pair, i] = act(gate_i, up_i) of the pair's expert, BF16 [tokens·chosen, output.stride]. output.bias is
  /// [experts, rows] or null. tokens as given to route().
  void gate_up(const ExpertMatrices& matrices, const VectorInput& input, int tokens, const Routing& routing,
               const GatedOutput& output, const Launch& launch) const;

  /// residual[token] += Σ over the token's pairs of weight·(W·x[pair] + bias): `input` is BF16
  /// [tokens·chosen, stride] without a norm, output.bias [experts, rows] or null. Follows gate_up() of the
  /// same routing: it reads that before its predecessor has ended. @param pairs fp32 [tokens·chosen, rows],
  /// used for more than 8 tokens only.
  void down(const ExpertMatrices& matrices, const VectorInput& input, int tokens, const Routing& routing,
            const ResidualOutput& output, float* pairs, const Launch& launch) const;

 private:
  const Products& products_;
};

}  // namespace sparkmpi::kernels::inference::gpu
