#pragma once
// Rotary position embedding in the half-split form of Hugging Face's models: element i of the first half
// turns with element i of the second (rope.hpp has the frequencies).

#include <cstdint>
#include <vector>

#include "kernels/inference/model_config.hpp"

namespace sparkmpi::kernels::inference {

class Rotary {
 public:
  explicit Rotary(const ModelConfig& config);

  /// cos and sin for one position times rope_attention_factor: [head_dim / 2] each.
  void angles(std::int64_t position, float* cosine, float* sine) const;
  /// Turns one head of `head_dim` elements in place.
  void apply(const float* cosine, const float* sine, float* head) const;
  std::size_t pairs() const { return frequencies_.size(); }

 private:
  std::vector<double> frequencies_;  ///< radians a position
  double magnitude_;                 ///< of sines and cosines
};

}  // namespace sparkmpi::kernels::inference
