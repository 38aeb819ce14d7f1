#include "kernels/timing/stopping_rule.hpp"

#include <algorithm>
#include <cmath>

namespace sparkmpi::kernels::timing {

void MedianConverged::add(double seconds) {
  sorted_.insert(std::ranges::upper_bound(sorted_, seconds), seconds);
  const std::size_t count = sorted_.size();
  if (count < at_least_) return;
  const double half = 1.96 * std::sqrt(static_cast<double>(count)) / 2;
  const double middle = static_cast<double>(count) / 2;
  const auto low = static_cast<std::size_t>(std::max(0.0, std::floor(middle - half)));
  const auto high = std::min(count - 1, static_cast<std::size_t>(std::ceil(middle + half)));
  const double median = sorted_[count / 2];
  done_ = median > 0 && sorted_[high] - sorted_[low] <= relative_width_ * median;
}

void FirstOf::add(double seconds) {
  for (const auto& rule : rules_) {
    rule->add(seconds);
    if (first_ == nullptr && rule->done()) first_ = rule.get();
  }
}

std::unique_ptr<StoppingRule> samples_or_known_median(std::size_t samples, double most_s) {
  if (samples > 0) return std::make_unique<SampleCount>(samples);
  constexpr double kRelativeWidth = 0.01;
  constexpr std::size_t kLeastSamples = 30;
  std::vector<std::unique_ptr<StoppingRule>> rules;
  rules.push_back(std::make_unique<MedianConverged>(kRelativeWidth, kLeastSamples));
  rules.push_back(std::make_unique<TimeBudget>(most_s));
  return std::make_unique<FirstOf>(std::move(rules));
}

}  // namespace sparkmpi::kernels::timing
