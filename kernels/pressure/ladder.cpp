#include "kernels/pressure/ladder.hpp"

#include <algorithm>
#include <stdexcept>

namespace sparkmpi::kernels::pressure {
namespace {

std::uint64_t whole_grains(std::uint64_t bytes) {
  return (bytes + Ladder::kGrain - 1) / Ladder::kGrain * Ladder::kGrain;
}

}  // namespace

Ladder::Ladder(const LadderShape& shape)
    : shape_{whole_grains(shape.step), whole_grains(shape.resolution), shape.ceiling} {
  if (shape.step == 0 || shape.resolution == 0)
    throw std::logic_error("a ladder needs a step and a resolution");
}

std::optional<std::uint64_t> Ladder::next() const {
  if (!refused_) {
    if (granted_ >= shape_.ceiling) return std::nullopt;
    return granted_ + std::min(shape_.step, shape_.ceiling - granted_);
  }
  const std::uint64_t gap = *refused_ - granted_;
  if (gap <= shape_.resolution) return std::nullopt;
  return granted_ + std::max(kGrain, gap / 2 / kGrain * kGrain);
}

void Ladder::granted(std::uint64_t bytes) {
  granted_ = std::max(granted_, bytes);
}

void Ladder::refused(std::uint64_t bytes) {
  refused_ = std::min(refused_.value_or(bytes), bytes);
}

}  // namespace sparkmpi::kernels::pressure
