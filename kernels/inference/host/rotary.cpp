#include "kernels/inference/host/rotary.hpp"

#include <cmath>

#include "kernels/inference/rope.hpp"

namespace sparkmpi::kernels::inference {
Rotary::Rotary(const ModelConfig& config)
    : frequencies_(rope_frequencies(config)), magnitude_(config.rope_attention_factor) {}

void Rotary::angles(std::int64_t position, float* cosine, float* sine) const {
  for (std::size_t i = 0; i < frequencies_.size(); ++i) {
    const double angle = static_cast<double>(position) * frequencies_[i];
    cosine[i] = static_cast<float>(magnitude_ * std::cos(angle));
    sine[i] = static_cast<float>(magnitude_ * std::sin(angle));
  }
}

void Rotary::apply(const float* cosine, const float* sine, float* head) const {
  const std::size_t half = pairs();
  for (std::size_t i = 0; i < half; ++i) {
    const float first = head[i], second = head[i + half];
    head[i] = first * cosine[i] - second * sine[i];
    head[i + half] = second * cosine[i] + first * sine[i];
  }
}

}  // namespace sparkmpi::kernels::inference
