#include "kernels/inference/cuda/members/peer_reduce.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "kernels/inference/cuda/members/peer_kernels.hpp"

namespace sparkmpi::kernels::inference::gpu {

PeerReduce::PeerReduce(const Group& group, std::unique_ptr<PeerMemory> memory, std::size_t capacity,
                       std::unique_ptr<AllReduce> large)
    : capacity_(capacity),
      large_(std::move(large)),
      abort_(sizeof(std::uint32_t), "the end of sums"),
      numbers_(kMostExchangeBlocks * sizeof(std::uint32_t), "the numbers of sums"),
      memory_(std::move(memory)) {
  *abort_.as<std::uint32_t>() = 0;
  const std::vector<std::uint32_t> start(kMostExchangeBlocks, 1);
  gpu::check(cudaMemcpy(numbers_.as(), start.data(), numbers_.bytes(), cudaMemcpyHostToDevice), "cudaMemcpy");
  // The copy may still be under way when the call returns, and streams of ours don't wait for the default
  // one.
  gpu::check(cudaStreamSynchronize(nullptr), "cudaStreamSynchronize");
  for (int member = 0; member < group.size(); ++member)
    boxes_.boxes[member] = reinterpret_cast<std::uint64_t*>(memory_->of(member));
  boxes_.capacity = capacity;
  boxes_.rank = group.rank();
  boxes_.members = group.size();
  boxes_.numbers = numbers_.as<std::uint32_t>();
  boxes_.abort = abort_.as<std::uint32_t>();
}

void PeerReduce::sum(float* values, std::size_t count, const Launch& launch) {
  if (count > capacity_ && large_ != nullptr) return large_->sum(values, count, launch);
  for (std::size_t at = 0; at < count; at += capacity_)
    exchange_and_store(boxes_, values + at, static_cast<int>(std::min(capacity_, count - at)), launch);
}

void PeerReduce::add(float* partial, int tokens, int hidden, const ResidualOutput& output,
                     const Launch& launch) {
  if (static_cast<std::size_t>(tokens) * static_cast<std::size_t>(hidden) > capacity_)
    return AllReduce::add(partial, tokens, hidden, output, launch);
  exchange_and_add(boxes_, partial, tokens, hidden, output, launch);
}

void PeerReduce::check() {
  if (large_ != nullptr) large_->check();
}

void PeerReduce::abort() noexcept {
  *static_cast<volatile std::uint32_t*>(abort_.as<std::uint32_t>()) = 1;
  if (large_ != nullptr) large_->abort();
}

std::string PeerReduce::name() const {
  return large_ == nullptr ? "peer memory"
                           : fmt::format("peer memory, {} beyond {} values", large_->name(), capacity_);
}

}  // namespace sparkmpi::kernels::inference::gpu
