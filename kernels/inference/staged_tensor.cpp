#include "kernels/inference/staged_tensor.hpp"

#include <algorithm>

namespace sparkmpi::kernels::inference {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20;
// Two tensors of the format with the most parts (codes, scales and zero points of AWQ).
constexpr std::size_t kKept = 6;

}  // namespace

StagedTensor::StagedTensor(const WeightFile& file, std::uint64_t begin, std::size_t bytes)
    : file_(file), begin_(begin), size_(bytes), memory_(bytes) {}

std::span<const std::byte> StagedTensor::bytes() {
  const std::size_t pieces = (size_ + kPiece - 1) / kPiece;
  for (std::size_t piece = next_++; piece < pieces; piece = next_++) {
    const std::size_t first = piece * kPiece;
    try {
      file_.read(begin_ + first, {memory_.data() + first, std::min(kPiece, size_ - first)});
    } catch (...) {
      const std::lock_guard lock(mutex_);
      failure_ = std::current_exception();
    }
    if (++arrived_ == pieces) arrived_.notify_all();
  }
  for (std::size_t there = arrived_; there < pieces; there = arrived_) arrived_.wait(there);
  if (failure_) std::rethrow_exception(failure_);
  return {memory_.data(), size_};
}

std::shared_ptr<StagedTensor> StagedTensors::at(const WeightFile& file, std::uint64_t begin,
                                                std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  const auto found =
      std::ranges::find_if(recent_, [&](const auto& staged) { return staged->is(file, begin); });
  if (found != recent_.end()) {
    recent_.splice(recent_.begin(), recent_, found);
  } else {
    recent_.push_front(std::make_shared<StagedTensor>(file, begin, bytes));
    if (recent_.size() > kKept) recent_.pop_back();
  }
  return recent_.front();
}

}  // namespace sparkmpi::kernels::inference
