#pragma once
// Sums by NCCL: between any GPUs, of one node or of several.

#include "kernels/device/cuda/nccl.hpp"
#include "kernels/inference/cuda/members/all_reduce.hpp"

namespace sparkmpi::kernels::inference::gpu {

class NcclReduce final : public AllReduce {
 public:
  /// Collective: the first member's id makes them one communicator.
  NcclReduce(Group& group, const cuda::Nccl& library);
  /// While an exception unwinds, or after abort(), without waiting for the others.
  ~NcclReduce() override;
  NcclReduce(const NcclReduce&) = delete;             ///< owns a communicator
  NcclReduce& operator=(const NcclReduce&) = delete;  ///< owns a communicator

  void sum(float* values, std::size_t count, const Launch& launch) override;
  bool capturable() const override { return true; }
  void check() override;
  void abort() noexcept override;
  std::string name() const override { return library_.name(); }

 private:
  cuda::Nccl library_;
  cuda::NcclCommunicator communicator_ = nullptr;
  int exceptions_;
};

}  // namespace sparkmpi::kernels::inference::gpu
