#include <algorithm>
#include <string>

#include "base/error.hpp"
#include "kernels/inference/cuda/linear/experts.hpp"
#include "kernels/inference/cuda/linear/format_products.cuh"
#include "kernels/inference/cuda/linear/residual_element.cuh"

namespace sparkmpi::kernels::inference::gpu {
namespace {

constexpr int kThreads = 256;

/// residual[token] += Σ weight·y[pair]; a thread has one element.
__global__ void __launch_bounds__(kThreads)
    combine(const float* pairs, int rows, Routing routing, ResidualOutput output) {
  await_predecessor();
  release_successor();
  const int i = static_cast<int>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x);
  const int token = static_cast<int>(blockIdx.y);
  float sum = 0;
  for (int k = 0; i < rows && k < routing.chosen; ++k) {
    const std::size_t pair = static_cast<std::size_t>(token) * routing.chosen + k;
    sum += __ldcg(routing.weights + pair) * __ldcg(pairs + pair * rows + i);
  }
  add_to_residual(output, rows, token, i, residual_before(output, rows, token, i), sum);
}

template <class Output>
void for_format(const DeviceMatrix& matrix, const ProductSite& site,
                const ProductArguments<Output>& arguments, const Launch& launch) {
  switch (matrix.format) {
    case WeightFormat::bf16:
      return FormatProducts<WeightFormat::bf16>::experts(matrix, site, arguments, launch);
    case WeightFormat::fp8_e4m3:
      return FormatProducts<WeightFormat::fp8_e4m3>::experts(matrix, site, arguments, launch);
    case WeightFormat::int4_awq:
      return FormatProducts<WeightFormat::int4_awq>::experts(matrix, site, arguments, launch);
    case WeightFormat::mxfp4:
      return FormatProducts<WeightFormat::mxfp4>::experts(matrix, site, arguments, launch);
  }
}
template <class Output>
void for_format(const DeviceMatrix& matrix, const ProductSite& site,
                const GroupedArguments<Output>& arguments, const Launch& launch) {
  switch (matrix.format) {
    case WeightFormat::bf16:
      return FormatProducts<WeightFormat::bf16>::grouped(matrix, site, arguments, launch);
    case WeightFormat::fp8_e4m3:
      return FormatProducts<WeightFormat::fp8_e4m3>::grouped(matrix, site, arguments, launch);
    case WeightFormat::int4_awq:
      return FormatProducts<WeightFormat::int4_awq>::grouped(matrix, site, arguments, launch);
    case WeightFormat::mxfp4:
      return FormatProducts<WeightFormat::mxfp4>::grouped(matrix, site, arguments, launch);
  }
}

void check_call(const ExpertMatrices& matrices, const VectorInput& input, bool gated) {
  check_shape(matrices.first);
  if ((matrices.first.order != RowOrder::plain) != gated)
    throw UsageError(gated ? "a gated product needs gate and up rows"
                           : "a residual product needs rows in plain order");
  if (input.stride % 8 != 0 || input.stride < matrices.first.columns)
    throw UsageError("a product of " + std::to_string(matrices.first.columns) + " columns with vectors " +
                     std::to_string(input.stride) + " apart");
}

template <class Output>
ProductArguments<Output> few_tokens(const ExpertMatrices& matrices, const VectorInput& input, int tokens,
                                    const Routing& routing, const Output& output) {
  ProductArguments<Output> arguments;
  arguments.geometry.expert_bytes = data_bytes(matrices.first);
  arguments.geometry.experts = routing.active + 1;
  arguments.input = input;
  arguments.vectors = tokens;
  arguments.active = routing.active;
  arguments.pair_weights = routing.weights;
  arguments.chosen = routing.chosen;
  arguments.output = output;
  return arguments;
}

template <class Output>
GroupedArguments<Output> many_tokens(const ExpertMatrices& matrices, const VectorInput& input, int tokens,
                                     const Routing& routing, const Output& output) {
  GroupedArguments<Output> arguments;
  arguments.geometry.expert_bytes = data_bytes(matrices.first);
  arguments.input = input;
  arguments.chosen = routing.chosen;
  arguments.experts = matrices.experts;
  arguments.pairs = tokens * routing.chosen;
  arguments.groups = routing.groups;
  arguments.output = output;
  return arguments;
}

}  // namespace

void ExpertProducts::gate_up(const ExpertMatrices& matrices, const VectorInput& input, int tokens,
                             const Routing& routing, const GatedOutput& output, const Launch& launch) const {
  check_call(matrices, input, true);
  const ProductSite site{products_.limits_, products_.workspace_,
                         std::min(matrices.experts, tokens * routing.chosen), matrices.experts};
  if (tokens <= kMostVectors)
    return for_format(matrices.first, site, few_tokens(matrices, input, tokens, routing, output), launch);
  auto arguments = many_tokens(matrices, input, tokens, routing, output);
  arguments.by_token = true;
  for_format(matrices.first, site, arguments, launch);
}

void ExpertProducts::down(const ExpertMatrices& matrices, const VectorInput& input, int tokens,
                          const Routing& routing, const ResidualOutput& output, float* pairs,
                          const Launch& how) const {
  check_call(matrices, input, false);
  const ProductSite site{products_.limits_, products_.workspace_,
                         std::min(matrices.experts, tokens * routing.chosen), matrices.experts};
  if (tokens <= kMostVectors)
    return for_format(matrices.first, site, few_tokens(matrices, input, tokens, routing, output), how);
  for_format(matrices.first, site,
             many_tokens(matrices, input, tokens, routing, PairOutput{pairs, output.bias}), how);
  const int rows = matrices.first.rows;
  const dim3 grid(static_cast<unsigned>((rows + kThreads - 1) / kThreads), static_cast<unsigned>(tokens));
  launch(combine, grid, kThreads, 0, how.stream, how.programmatic && site.limits.overlap, "combine", pairs,
         rows, routing, output);
}

}  // namespace sparkmpi::kernels::inference::gpu
