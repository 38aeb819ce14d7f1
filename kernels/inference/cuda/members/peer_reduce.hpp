#pragma once
// Sums by peer memory: each member writes its values into the others' memory and adds up what came.

#include "kernels/inference/cuda/members/all_reduce.hpp"
#include "kernels/inference/cuda/members/peer_kernels.hpp"
#include "kernels/inference/cuda/members/peer_memory.hpp"

namespace sparkmpi::kernels::inference::gpu {

/// A value travels with the number of its sum in one word of 8 bytes, so that its arrival needs no other sign
/// (NCCL's LL protocol): one trip over the link, and one kernel that also adds to the residual stream and
/// does the first half of the next norm. Two boxes in turn: who starts a sum has had everybody's values of
/// the one before, so all are done with the one before that.
class PeerReduce final : public AllReduce {
 public:
  /// Of the memory behind it.
  static constexpr std::size_t bytes(int members, std::size_t capacity) {
    return 2 * static_cast<std::size_t>(members) * capacity * sizeof(std::uint64_t);
  }
  /// @param memory reachable, of bytes(). @param capacity most values of one exchange. @param large makes the
  /// sums beyond it; null: in pieces.
  PeerReduce(const Group& group, std::unique_ptr<PeerMemory> memory, std::size_t capacity,
             std::unique_ptr<AllReduce> large);

  void sum(float* values, std::size_t count, const Launch& launch) override;
  void add(float* partial, int tokens, int hidden, const ResidualOutput& output,
           const Launch& launch) override;
  bool capturable() const override { return large_ == nullptr || large_->capturable(); }
  void check() override;
  void abort() noexcept override;
  std::string name() const override;

 private:
  std::size_t capacity_;
  std::unique_ptr<AllReduce> large_;
  PeerBoxes boxes_;
  PinnedMemory abort_;  ///< one word: not 0 ends all waiting
  DeviceMemory numbers_;
  std::unique_ptr<PeerMemory> memory_;
};

}  // namespace sparkmpi::kernels::inference::gpu
