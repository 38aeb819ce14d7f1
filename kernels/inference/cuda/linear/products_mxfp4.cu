#include "kernels/inference/cuda/linear/format_products_definition.cuh"

namespace sparkmpi::kernels::inference::gpu {

template struct FormatProducts<WeightFormat::mxfp4>;

}  // namespace sparkmpi::kernels::inference::gpu
