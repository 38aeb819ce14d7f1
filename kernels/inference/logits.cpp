#include "kernels/inference/logits.hpp"

#include <algorithm>
#include <cmath>

namespace sparkmpi::kernels::inference {

double standard_deviation(std::span<const float> logits) {
  double sum = 0, squares = 0;
  for (const float value : logits) {
    sum += value;
    squares += static_cast<double>(value) * value;
  }
  const auto count = static_cast<double>(logits.size());
  return std::sqrt(std::max(0.0, squares / count - sum / count * (sum / count)));
}

double top_margin(std::span<const float> logits) {
  float first = std::max(logits[0], logits[1]), second = std::min(logits[0], logits[1]);
  for (const float value : logits.subspan(2)) {
    if (value > first) {
      second = first;
      first = value;
    } else {
      second = std::max(second, value);
    }
  }
  const double spread = standard_deviation(logits);
  return spread > 0 ? (static_cast<double>(first) - second) / spread : 0;
}

}  // namespace sparkmpi::kernels::inference
