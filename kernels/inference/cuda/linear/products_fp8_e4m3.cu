#include "kernels/inference/cuda/linear/format_products_definition.cuh"

namespace sparkmpi::kernels::inference::gpu {

template struct FormatProducts<WeightFormat::fp8_e4m3>;

}  // namespace sparkmpi::kernels::inference::gpu
