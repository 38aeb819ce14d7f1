#include "kernels/inference/cuda/linear/format_products_definition.cuh"

namespace sparkmpi::kernels::inference::gpu {

template struct FormatProducts<WeightFormat::int4_awq>;

}  // namespace sparkmpi::kernels::inference::gpu
