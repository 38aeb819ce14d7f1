#pragma once
// Which experts a step's tokens go to.

#include <cstddef>
#include <span>
#include <vector>

#include "kernels/inference/model_config.hpp"

namespace sparkmpi::kernels::inference {

/// One token at one expert.
struct Visit {
  std::size_t token;
  float weight;  ///< of the expert's output in the token's sum
};

class Routing {
 public:
  explicit Routing(const ModelConfig& config);

  /// Sends each token to its experts_per_token experts of the highest logits (ties: the lower number), with
  /// the softmax over those as weights. @param logits [tokens, experts].
  void assign(const float* logits, std::size_t tokens);

  /// An expert's visits, by ascending token.
  std::span<const Visit> of(std::size_t expert) const {
    return std::span(visits_).subspan(first_[expert], first_[expert + 1] - first_[expert]);
  }
  /// Visits of all experts before it.
  std::size_t first(std::size_t expert) const { return first_[expert]; }
  /// Experts with visits.
  std::size_t distinct() const;

 private:
  std::size_t experts_, chosen_;
  std::vector<std::size_t> choice_;  ///< [tokens, chosen]
  std::vector<float> weight_;
  std::vector<Visit> visits_;
  std::vector<std::size_t> first_;  ///< [experts + 1]
};

}  // namespace sparkmpi::kernels::inference
