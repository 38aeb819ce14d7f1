#include "kernels/inference/rope.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace sparkmpi::kernels::inference {
namespace {

/// Llama 3.1's scaling of long wavelengths (transformers, modeling_rope_utils, "llama3").
double llama3(double frequency, const ModelConfig& config) {
  const double wavelength = 2 * std::numbers::pi / frequency;
  const auto original = static_cast<double>(config.rope_original_positions);
  if (wavelength < original / config.rope_high_freq_factor) return frequency;
  if (wavelength > original / config.rope_low_freq_factor) return frequency / config.rope_factor;
  const double smooth = (original / wavelength - config.rope_low_freq_factor) /
                        (config.rope_high_freq_factor - config.rope_low_freq_factor);
  return (1 - smooth) * frequency / config.rope_factor + smooth * frequency;
}

/// The pair that makes so many turns over the original context.
double pair_of_turns(double turns, const ModelConfig& config) {
  const auto original = static_cast<double>(config.rope_original_positions);
  return config.head_dim * std::log(original / (turns * 2 * std::numbers::pi)) /
         (2 * std::log(config.rope_theta));
}

/// YaRN: pairs that turn often keep their frequency, those that turn seldom are slowed by the factor, and a
/// ramp lies between.
double yarn(int pair, double frequency, const ModelConfig& config) {
  double low = pair_of_turns(config.rope_beta_fast, config);
  double high = pair_of_turns(config.rope_beta_slow, config);
  if (config.rope_truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, config.head_dim - 1.0);
  if (low == high) high += 0.001;
  const double slowed = std::clamp((pair - low) / (high - low), 0.0, 1.0);
  return slowed * frequency / config.rope_factor + (1 - slowed) * frequency;
}

}  // namespace

std::vector<double> rope_frequencies(const ModelConfig& config) {
  std::vector<double> frequencies;
  for (int i = 0; i < config.head_dim / 2; ++i) {
    const double frequency = std::pow(config.rope_theta, -2.0 * i / config.head_dim);
    switch (config.rope_scaling) {
      case RopeScaling::none:
        frequencies.push_back(frequency);
        break;
      case RopeScaling::llama3:
        frequencies.push_back(llama3(frequency, config));
        break;
      case RopeScaling::yarn:
        frequencies.push_back(yarn(i, frequency, config));
        break;
    }
  }
  return frequencies;
}

}  // namespace sparkmpi::kernels::inference
