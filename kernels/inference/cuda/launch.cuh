#pragma once
// Kernel launches that overlap the end of the kernel before: its successor's blocks may already stand ready,
// and wait for its results where they need them (programmatic dependent launch, CUDA programming guide 4.5).

#include <cuda_runtime.h>

#include "kernels/inference/cuda/device.hpp"

namespace sparkmpi::kernels::inference::gpu {

/// In a kernel: everything that earlier kernels of the stream wrote may be read, and written over, from here
/// on.
__device__ inline void await_predecessor() {
#if __CUDA_ARCH__ >= 900
  cudaGridDependencySynchronize();
#endif
}

/// In a kernel: the next kernel's blocks may be placed as soon as there is room for them. They wait for this
/// kernel's end before they touch what it writes, wherever it says so. What they may read earlier (past the
/// first-level cache) is what kernels before the last one wrote that released its successor only after its
/// own await_predecessor(): when a kernel starts, all its predecessors have released it, and such a one had
/// then seen the end of all before it. Products release at once, since nothing but weights is read early
/// behind them. Attentions do not, so that each knows the attention of the layer before, and all before that,
/// at an end; nor do the experts' gate and up products, behind which the down product reads the routing
/// early.
__device__ inline void release_successor() {
#if __CUDA_ARCH__ >= 900
  cudaTriggerProgrammaticLaunchCompletion();
#endif
}

/// Launches a kernel that calls await_predecessor() before it touches what others wrote, and allows it its
/// shared memory. All kernels ask for the same division of that and the first-level cache: a multiprocessor
/// has to drain before it changes.
/// @param overlap false on devices before compute capability 9.0, which have no such launch.
template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t shared_bytes,
            cudaStream_t stream, bool overlap, const char* name, Arguments... arguments) {
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributePreferredSharedMemoryCarveout,
                             cudaSharedmemCarveoutMaxShared),
        name);
  if (shared_bytes > 0)
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(shared_bytes)),
          name);
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared_bytes;
  config.stream = stream;
  config.attrs = &attribute;
  config.numAttrs = overlap ? 1 : 0;
  check(cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...), name);
}

}  // namespace sparkmpi::kernels::inference::gpu
