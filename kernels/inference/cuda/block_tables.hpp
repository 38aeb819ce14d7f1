#pragma once
// The KV cache's block tables, kept on the device: one row for each sequence.

#include <cuda_runtime_api.h>

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/inference/cuda/device.hpp"

namespace sparkmpi::kernels::inference::gpu {

class BlockTables {
 public:
  /// @param stride most blocks of a sequence. @param rows sequences that there is room for at first.
  BlockTables(std::int64_t stride, int rows);

  /// Copies a sequence's blocks when they are not what the device has. Asynchronous in `stream`.
  void update(int sequence, std::span<const std::int32_t> blocks, cudaStream_t stream);
  /// Makes room for this sequence. True when the tables have moved, which what holds their address has to
  /// know.
  bool reserve(int sequence, cudaStream_t stream);

  const std::int32_t* device() const { return device_.as<std::int32_t>(); }
  int stride() const { return static_cast<int>(stride_); }

 private:
  std::size_t stride_;
  std::vector<std::vector<std::int32_t>> known_;  ///< what the device has
  DeviceMemory device_;
};

}  // namespace sparkmpi::kernels::inference::gpu
