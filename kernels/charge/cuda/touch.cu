// Memory touched by the GPU.

#include "kernels/charge/cuda/runtime.hpp"

namespace sparkmpi::kernels::charge {
namespace {

constexpr std::size_t kPage = 4096;

__global__ void write_pages(unsigned char* data, std::size_t bytes) {
  const std::size_t stride = std::size_t{gridDim.x} * blockDim.x * kPage;
  for (std::size_t offset = (std::size_t{blockIdx.x} * blockDim.x + threadIdx.x) * kPage; offset < bytes;
       offset += stride)
    data[offset] = 1;
}

}  // namespace

void write_every_page_from_gpu(void* memory, std::size_t bytes) {
  write_pages<<<256, 256>>>(static_cast<unsigned char*>(memory), bytes);
  require(cudaGetLastError(), "the kernel that touches memory");
  require(cudaDeviceSynchronize(), "touching memory from the GPU", bytes);
}

}  // namespace sparkmpi::kernels::charge
