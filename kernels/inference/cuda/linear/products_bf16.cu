#include "kernels/inference/cuda/linear/format_products_definition.cuh"

namespace sparkmpi::kernels::inference::gpu {

template struct FormatProducts<WeightFormat::bf16>;

}  // namespace sparkmpi::kernels::inference::gpu
