#include "kernels/inference/host/rotary.hpp"

#include <cmath>
#include <numbers>

namespace sparkmpi::kernels::inference {
namespace {

/// Llama 3.1's scaling of long wavelengths (transformers, modeling_rope_utils, "llama3").
double scaled(double frequency, const ModelConfig& config) {
  if (config.rope_factor == 1) return frequency;
  const double wavelength = 2 * std::numbers::pi / frequency;
  const auto original = static_cast<double>(config.rope_original_positions);
  if (wavelength < original / config.rope_high_freq_factor) return frequency;
  if (wavelength > original / config.rope_low_freq_factor) return frequency / config.rope_factor;
  const double smooth = (original / wavelength - config.rope_low_freq_factor) /
                        (config.rope_high_freq_factor - config.rope_low_freq_factor);
  return (1 - smooth) * frequency / config.rope_factor + smooth * frequency;
}

}  // namespace

Rotary::Rotary(const ModelConfig& config) {
  for (int i = 0; i < config.head_dim / 2; ++i) {
    frequencies_.push_back(scaled(std::pow(config.rope_theta, -2.0 * i / config.head_dim), config));
  }
}

void Rotary::angles(std::int64_t position, float* cosine, float* sine) const {
  for (std::size_t i = 0; i < frequencies_.size(); ++i) {
    const double angle = static_cast<double>(position) * frequencies_[i];
    cosine[i] = static_cast<float>(std::cos(angle));
    sine[i] = static_cast<float>(std::sin(angle));
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
