#include "kernels/inference/cuda/decode_graphs.hpp"

#include "kernels/inference/cuda/device.hpp"

namespace sparkmpi::kernels::inference::gpu {
namespace {

/// Ends a capture that failed, so that the stream can be used again.
void abandon(cudaStream_t stream) {
  cudaGraph_t graph = nullptr;
  static_cast<void>(cudaStreamEndCapture(stream, &graph));
  if (graph != nullptr) static_cast<void>(cudaGraphDestroy(graph));
  static_cast<void>(cudaGetLastError());
}

}  // namespace

cudaGraphExec_t DecodeGraphs::of(int batch, cudaStream_t stream, const std::function<void()>& queue) {
  if (const auto found = graphs_.find(batch); found != graphs_.end()) return found->second;
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
  try {
    queue();
  } catch (...) {
    abandon(stream);
    throw;
  }
  cudaGraph_t graph = nullptr;
  check(cudaStreamEndCapture(stream, &graph), "capture of a decode step");
  cudaGraphExec_t executable = nullptr;
  const cudaError_t made = cudaGraphInstantiate(&executable, graph, 0);
  static_cast<void>(cudaGraphDestroy(graph));
  check(made, "cudaGraphInstantiate");
  graphs_.emplace(batch, executable);
  check(cudaGraphUpload(executable, stream), "cudaGraphUpload");
  return executable;
}

void DecodeGraphs::clear() {
  for (const auto& [batch, graph] : graphs_) static_cast<void>(cudaGraphExecDestroy(graph));
  graphs_.clear();
}

}  // namespace sparkmpi::kernels::inference::gpu
