#include "kernels/host/buffer_pool.hpp"

namespace sparkmpi::kernels::host {
namespace {

/// Sizes are multiples of a huge page, or there would be none.
constexpr std::size_t kGrain = std::size_t{2} << 20;

}  // namespace

std::byte* BufferPool::Lease::at_least(std::size_t bytes) {
  if (buffer_.size() < bytes) {
    buffer_ = Buffer();  // never both
    buffer_ = Buffer((bytes + kGrain - 1) / kGrain * kGrain);
  }
  return buffer_.data();
}

Buffer BufferPool::take() {
  const std::lock_guard lock(mutex_);
  if (idle_.empty()) return {};
  Buffer buffer = std::move(idle_.back());
  idle_.pop_back();
  return buffer;
}

void BufferPool::give_back(Buffer buffer) {
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(buffer));
}

}  // namespace sparkmpi::kernels::host
