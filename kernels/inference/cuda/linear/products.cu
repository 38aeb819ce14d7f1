#include <string>

#include "base/error.hpp"
#include "kernels/inference/cuda/linear/format_products.cuh"
#include "kernels/inference/cuda/linear/products.hpp"

namespace sparkmpi::kernels::inference::gpu {
namespace {

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads)
    find_best(ArgMaxOutput parts, int count, int vectors, std::int32_t* next) {
  await_predecessor();
  release_successor();
  const int v = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  RunningBest best;
  if (v < vectors) {
    for (int part = lane; part < count; part += 32)
      best.offer(__ldcg(parts.best + part * vectors + v), __ldcg(parts.row + part * vectors + v));
  }
#pragma unroll
  for (int distance = 1; distance < 32; distance *= 2)
    best.offer(__shfl_xor_sync(0xffffffffU, best.value, distance),
               __shfl_xor_sync(0xffffffffU, best.row, distance));
  // Where no logit is a number any token is as good; one outside the vocabulary would be read as an address.
  if (v < vectors && lane == 0) next[v] = best.row == INT32_MAX ? 0 : best.row;
}

/// Blocks of a product at most.
int most_parts(const DeviceLimits& limits) {
  return kMostBlocks * limits.multiprocessors;
}

void check_call(const DeviceMatrix& matrix, const VectorInput& input, int vectors) {
  check_shape(matrix);
  if (vectors < 1 || vectors > kMostVectors)
    throw UsageError("a product with " + std::to_string(vectors) + " vectors; it takes 1 to " +
                     std::to_string(kMostVectors));
  if (input.stride % 8 != 0 || input.stride < matrix.columns)
    throw UsageError("a product of " + std::to_string(matrix.columns) + " columns with vectors " +
                     std::to_string(input.stride) + " apart");
}

template <class Output>
void multiply_as(const DeviceLimits& limits, const Workspace& workspace, const DeviceMatrix& matrix,
                 const VectorInput& input, int vectors, const Output& output, const Launch& launch) {
  check_call(matrix, input, vectors);
  ProductArguments<Output> arguments;
  arguments.input = input;
  arguments.vectors = vectors;
  arguments.output = output;
  arguments.best_parts = most_parts(limits);
  const ProductSite site{limits, workspace};
  switch (matrix.format) {
    case WeightFormat::bf16:
      return FormatProducts<WeightFormat::bf16>::one(matrix, site, arguments, launch);
    case WeightFormat::fp8_e4m3:
      return FormatProducts<WeightFormat::fp8_e4m3>::one(matrix, site, arguments, launch);
    case WeightFormat::int4_awq:
      return FormatProducts<WeightFormat::int4_awq>::one(matrix, site, arguments, launch);
    case WeightFormat::mxfp4:
      return FormatProducts<WeightFormat::mxfp4>::one(matrix, site, arguments, launch);
  }
}

int attribute(int device, cudaDeviceAttr name) {
  int value = 0;
  check(cudaDeviceGetAttribute(&value, name, device), "cudaDeviceGetAttribute");
  return value;
}

/// Of the device's memory, by its clock and width; 0 where the driver does not tell.
double bytes_per_second(int device) {
  return 2.0 * 1e3 * attribute(device, cudaDevAttrMemoryClockRate) *
         attribute(device, cudaDevAttrGlobalMemoryBusWidth) / 8;
}

}  // namespace

Products::Products() {
  int device = 0;
  check(cudaGetDevice(&device), "cudaGetDevice");
  limits_.multiprocessors = attribute(device, cudaDevAttrMultiProcessorCount);
  limits_.shared_of_multiprocessor =
      static_cast<std::size_t>(attribute(device, cudaDevAttrMaxSharedMemoryPerMultiprocessor));
  limits_.shared_of_block =
      static_cast<std::size_t>(attribute(device, cudaDevAttrMaxSharedMemoryPerBlockOptin));
  limits_.overlap = attribute(device, cudaDevAttrComputeCapabilityMajor) >= 9;
  limits_.bytes_under_way = bytes_under_way(bytes_per_second(device), limits_.multiprocessors);
  cudaFuncAttributes compiled{};
  check(cudaFuncGetAttributes(&compiled, find_best), "cudaFuncGetAttributes");
  limits_.bulk_copies = limits_.overlap && compiled.ptxVersion >= 90;
  constexpr std::size_t kPartialBytes = Workspace::kPartials * 128 * sizeof(float);
  constexpr std::size_t kArrivalBytes = Workspace::kArrivals * sizeof(std::uint32_t);
  constexpr std::size_t kClaimBytes = Workspace::kTurns * sizeof(std::uint32_t);
  void* memory = nullptr;
  check(cudaMalloc(&memory, kPartialBytes + kArrivalBytes + kClaimBytes),
        "allocating the products' workspace");
  workspace_.partials = static_cast<float*>(memory);
  workspace_.arrivals = reinterpret_cast<std::uint32_t*>(static_cast<std::byte*>(memory) + kPartialBytes);
  workspace_.claims = workspace_.arrivals + Workspace::kArrivals;
  check(cudaMemset(workspace_.arrivals, 0, kArrivalBytes + kClaimBytes), "clearing the products' workspace");
}

Products::~Products() {
  static_cast<void>(cudaFree(workspace_.partials));
}

void Products::multiply(const DeviceMatrix& matrix, const VectorInput& input, int vectors,
                        const StoreOutput& output, const Launch& launch) const {
  multiply_as(limits_, workspace_, matrix, input, vectors, output, launch);
}
void Products::multiply(const DeviceMatrix& matrix, const VectorInput& input, int vectors,
                        const ResidualOutput& output, const Launch& launch) const {
  if (matrix.order != RowOrder::plain) throw UsageError("a residual product needs rows in plain order");
  multiply_as(limits_, workspace_, matrix, input, vectors, output, launch);
}
void Products::multiply(const DeviceMatrix& matrix, const VectorInput& input, int vectors,
                        const GatedOutput& output, const Launch& launch) const {
  if (matrix.order == RowOrder::plain) throw UsageError("a gated product needs gate and up rows");
  multiply_as(limits_, workspace_, matrix, input, vectors, output, launch);
}
void Products::multiply(const DeviceMatrix& matrix, const VectorInput& input, int vectors,
                        const ArgMaxOutput& output, const Launch& launch) const {
  multiply_as(limits_, workspace_, matrix, input, vectors, output, launch);
}

int Products::arg_max_parts() const {
  return most_parts(limits_);
}

void Products::arg_max(const ArgMaxOutput& parts, int vectors, std::int32_t* next, const Launch& how) const {
  launch(find_best, 1, kThreads, 0, how.stream, how.programmatic && limits_.overlap, "arg_max", parts,
         arg_max_parts(), vectors, next);
}

}  // namespace sparkmpi::kernels::inference::gpu
