#pragma once
// Decode steps as CUDA graphs, one for each batch size.

#include <cuda_runtime_api.h>

#include <functional>
#include <map>

namespace sparkmpi::kernels::inference::gpu {

class DecodeGraphs {
 public:
  DecodeGraphs() = default;
  ~DecodeGraphs() { clear(); }
  DecodeGraphs(const DecodeGraphs&) = delete;             ///< owns graphs
  DecodeGraphs& operator=(const DecodeGraphs&) = delete;  ///< owns graphs

  /// The graph of this batch size; made from what `queue` launches into `stream` when there is none yet.
  cudaGraphExec_t of(int batch, cudaStream_t stream, const std::function<void()>& queue);
  /// Forgets all: an address in them has changed.
  void clear();

 private:
  std::map<int, cudaGraphExec_t> graphs_;
};

}  // namespace sparkmpi::kernels::inference::gpu
