#include "kernels/inference/cuda/block_tables.hpp"

#include <algorithm>

#include "kernels/inference/cuda/device.hpp"

namespace sparkmpi::kernels::inference::gpu {

BlockTables::BlockTables(std::int64_t stride, int rows)
    : stride_(static_cast<std::size_t>(stride)),
      known_(static_cast<std::size_t>(rows)),
      device_(stride_ * known_.size() * sizeof(std::int32_t), "block tables") {}

bool BlockTables::reserve(int sequence, cudaStream_t stream) {
  const auto wanted = static_cast<std::size_t>(sequence) + 1;
  if (wanted <= known_.size()) return false;
  const std::size_t rows = std::max(wanted, 2 * known_.size());
  DeviceMemory larger(stride_ * rows * sizeof(std::int32_t), "block tables");
  check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
  device_ = std::move(larger);
  known_.assign(rows, {});
  return true;
}

void BlockTables::update(int sequence, std::span<const std::int32_t> blocks, cudaStream_t stream) {
  std::vector<std::int32_t>& known = known_[static_cast<std::size_t>(sequence)];
  if (std::ranges::equal(known, blocks)) return;
  known.assign(blocks.begin(), blocks.end());
  check(cudaMemcpyAsync(device_.as<std::int32_t>() + static_cast<std::size_t>(sequence) * stride_,
                        known.data(), known.size() * sizeof(std::int32_t), cudaMemcpyHostToDevice, stream),
        "copy of a block table");
}

}  // namespace sparkmpi::kernels::inference::gpu
