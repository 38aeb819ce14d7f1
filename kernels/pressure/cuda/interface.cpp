#include "kernels/pressure/cuda/interface.hpp"

namespace sparkmpi::kernels::pressure {

const CudaPressure& cuda_pressure() {
  static constexpr CudaPressure table = {prepare_cuda, cuda_allocators, make_cuda_read_probe};
  return table;
}

}  // namespace sparkmpi::kernels::pressure
