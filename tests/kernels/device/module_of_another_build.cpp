// A CUDA module that was compiled with other headers: nothing but its digest may be looked at.

#include <cstdlib>

#include "kernels/device/cuda_module.hpp"

using sparkmpi::kernels::CudaModuleApi;
using sparkmpi::kernels::Device;

extern "C" const CudaModuleApi* sparkmpi_cuda_module() {
  static const CudaModuleApi api = {SPARKMPI_CUDA_INTERFACE + 1U,
                                    [](std::vector<Device>&) -> std::string { std::abort(); },
                                    [](int, std::uint64_t&, std::uint64_t&) -> std::string { std::abort(); },
                                    [](std::string_view) -> const void* { std::abort(); }};
  return &api;
}
