#include "kernels/inference/host/experts.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace sparkmpi::kernels::inference {

Routing::Routing(const ModelConfig& config)
    : experts_(static_cast<std::size_t>(config.experts)),
      chosen_(static_cast<std::size_t>(config.experts_per_token)),
      first_(experts_ + 1, 0) {}

void Routing::assign(const float* logits, std::size_t tokens) {
  choice_.resize(tokens * chosen_);
  weight_.resize(tokens * chosen_);
  visits_.resize(tokens * chosen_);
  std::ranges::fill(first_, 0);
  std::vector<std::size_t> order(experts_);
  for (std::size_t token = 0; token < tokens; ++token) {
    const float* const row = logits + token * experts_;
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::partial_sort(
        order, order.begin() + static_cast<std::ptrdiff_t>(chosen_),
        [row](std::size_t a, std::size_t b) { return row[a] != row[b] ? row[a] > row[b] : a < b; });
    float total = 0;
    for (std::size_t i = 0; i < chosen_; ++i) {
      choice_[token * chosen_ + i] = order[i];
      weight_[token * chosen_ + i] = std::exp(row[order[i]] - row[order[0]]);
      total += weight_[token * chosen_ + i];
      ++first_[order[i] + 1];
    }
    for (std::size_t i = 0; i < chosen_; ++i) weight_[token * chosen_ + i] /= total;
  }
  std::partial_sum(first_.begin(), first_.end(), first_.begin());
  std::vector<std::size_t> next(first_.begin(), first_.end() - 1);
  for (std::size_t i = 0; i < choice_.size(); ++i) visits_[next[choice_[i]]++] = {i / chosen_, weight_[i]};
}

std::size_t Routing::distinct() const {
  std::size_t count = 0;
  for (std::size_t expert = 0; expert < experts_; ++expert) count += of(expert).empty() ? 0 : 1;
  return count;
}

}  // namespace sparkmpi::kernels::inference
