#pragma once
// Sums by way of the host: members that share a GPU have nothing else.

#include "kernels/inference/cuda/device.hpp"
#include "kernels/inference/cuda/members/all_reduce.hpp"

namespace sparkmpi::kernels::inference::gpu {

/// Device → page-locked memory → Group::sum → device. Waits for the stream at every sum, so steps run without
/// a graph.
class StagedReduce final : public AllReduce {
 public:
  explicit StagedReduce(Group& group) : group_(group) {}
  void sum(float* values, std::size_t count, const Launch& launch) override;
  bool capturable() const override { return false; }
  std::string name() const override { return "staged through the host"; }

 private:
  Group& group_;
  PinnedMemory staging_;
};

}  // namespace sparkmpi::kernels::inference::gpu
