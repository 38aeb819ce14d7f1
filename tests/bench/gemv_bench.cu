// The GPU's decode products alone: GB/s of weights (scales and zero points included) beside the device's read
// bandwidth. Products follow each other in a CUDA graph, on weights that rotate through far more memory than
// any cache, as a decode step's do; a figure is the graph's bytes over the median of its times, so launches
// count. First single products, each of a model's shapes; then the chains of products that make up models'
// layers, without attention.
//
//   bench_gemv [GIB]        memory for weights, default 16

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string_view>
#include <vector>

#include "kernels/inference/cuda/launch.cuh"
#include "kernels/inference/cuda/linear/experts.hpp"
#include "kernels/inference/cuda/linear/products.hpp"
#include "tests/bench/device_bench.cuh"

namespace {

using namespace sparkmpi::kernels::inference;
using namespace sparkmpi::kernels::inference::gpu;
using namespace sparkmpi::bench;

__global__ void __launch_bounds__(512) read_all(const uint4* data, std::size_t count, std::uint32_t* out) {
  constexpr int kAtOnce = 8;
  std::uint32_t all = 0;
  const std::size_t step = gridDim.x * std::size_t{512};
  for (std::size_t i = blockIdx.x * std::size_t{512} + threadIdx.x; i < count; i += step * kAtOnce) {
    uint4 values[kAtOnce];
#pragma unroll
    for (int j = 0; j < kAtOnce; ++j)
      values[j] = i + j * step < count ? __ldcs(data + i + j * step) : uint4{};
#pragma unroll
    for (int j = 0; j < kAtOnce; ++j) all ^= values[j].x ^ values[j].y ^ values[j].z ^ values[j].w;
  }
  if (all == 0x12345678U) *out = all;
}

/// Memory for everything but weights.
struct Buffers {
  static constexpr int kWidest = 1 << 16;
  std::uint16_t *input, *activated;
  float *residual, *norm, *squares, *y, *best, *pair_weights;
  std::int32_t *row, *next, *ids, *active;
  Buffers() {
    const auto take = [](auto*& pointer, std::size_t count) {
      check(cudaMalloc(&pointer, count * sizeof(*pointer)), "cudaMalloc");
      fill<<<256, 256>>>(reinterpret_cast<std::uint32_t*>(pointer), count * sizeof(*pointer) / 4);
    };
    take(input, kWidest * kMostVectors);
    take(activated, kWidest * kMostVectors * 4);
    take(residual, kWidest * kMostVectors);
    take(norm, kWidest);
    take(squares, kWidest);
    take(y, 262144 * kMostVectors);
    take(best, 4096 * kMostVectors);
    take(row, 4096 * kMostVectors);
    take(next, kMostVectors);
    take(ids, 64 * 64);
    take(pair_weights, 64 * 64);
    take(active, 64 * kActiveWords);
    check(cudaDeviceSynchronize(), "fill");
  }
};

void print(std::string_view what, int vectors, double bytes, double seconds, double read) {
  std::printf("%-44.*s b%d %9.2f us %7.1f GB/s %5.1f %%\n", static_cast<int>(what.size()), what.data(),
              vectors, 1e6 * seconds, 1e-9 * bytes / seconds, 100 * bytes / seconds / read);
}

struct Product {
  std::string_view name;
  WeightFormat format;
  int rows, columns;
};
constexpr Product kProducts[] = {
    {"Llama-3-8B qkv", WeightFormat::bf16, 6144, 4096},
    {"Llama-3-8B o", WeightFormat::bf16, 4096, 4096},
    {"Llama-3-8B gate_up", WeightFormat::bf16, 28672, 4096},
    {"Llama-3-8B down", WeightFormat::bf16, 4096, 14336},
    {"Llama-3-8B lm_head", WeightFormat::bf16, 128256, 4096},
    {"Qwen2-1.5B qkv", WeightFormat::bf16, 2048, 1536},
    {"Qwen2-1.5B o", WeightFormat::bf16, 1536, 1536},
    {"Qwen2-1.5B gate_up", WeightFormat::bf16, 17920, 1536},
    {"Qwen2-1.5B down", WeightFormat::bf16, 1536, 8960},
    {"Qwen2-1.5B lm_head", WeightFormat::bf16, 151936, 1536},
    {"Llama-3-70B AWQ qkv", WeightFormat::int4_awq, 10240, 8192},
    {"Llama-3-70B AWQ o", WeightFormat::int4_awq, 8192, 8192},
    {"Llama-3-70B AWQ gate_up", WeightFormat::int4_awq, 57344, 8192},
    {"Llama-3-70B AWQ down", WeightFormat::int4_awq, 8192, 28672},
    {"gpt-oss-120b MXFP4 gate_up", WeightFormat::mxfp4, 5760 * 4, 2880},
    {"gpt-oss-120b MXFP4 down", WeightFormat::mxfp4, 2880 * 4, 2880},
    {"Mixtral-8x7B FP8 gate_up", WeightFormat::fp8_e4m3, 28672, 4096},
    {"Mixtral-8x7B FP8 down", WeightFormat::fp8_e4m3, 4096, 14336},
};

std::vector<DeviceMatrix> rotating(Pool& pool, const Product& product) {
  const DeviceMatrix one{product.format, RowOrder::plain, product.rows, product.columns, nullptr, nullptr};
  const auto count = std::clamp<std::size_t>((std::size_t{1} << 30) / data_bytes(one), 4, 200);
  std::vector<DeviceMatrix> matrices;
  for (std::size_t i = 0; i < count; ++i)
    matrices.push_back(pool.matrix(one.format, one.order, one.rows, one.columns));
  return matrices;
}

VectorInput plain_input(const Buffers& buffers, int columns) {
  return {buffers.input, columns, nullptr, 0, 0};
}

void single_products(Pool& pool, const Buffers& buffers, const Products& products, double read) {
  for (const Product& product : kProducts) {
    const auto matrices = rotating(pool, product);
    for (const int vectors : {1, 2, 4, 8}) {
      const double seconds = median_seconds([&](cudaStream_t stream) {
        for (const DeviceMatrix& matrix : matrices)
          products.multiply(matrix, plain_input(buffers, product.columns), vectors,
                            StoreOutput{buffers.y, product.rows, nullptr}, {stream, true});
      });
      const auto count = static_cast<double>(matrices.size());
      print(product.name, vectors, static_cast<double>(data_bytes(matrices[0]) + scale_bytes(matrices[0])),
            seconds / count, read);
    }
  }
}

/// A model's layers without attention: `experts` 0 is a dense one.
struct Model {
  std::string_view name;
  WeightFormat attention, feed_forward;
  int layers, hidden, qkv, attended, inter, vocab, experts, chosen;
};
constexpr Model kModels[] = {
    {"Llama-3-8B BF16", WeightFormat::bf16, WeightFormat::bf16, 32, 4096, 6144, 4096, 14336, 128256, 0, 0},
    {"Qwen2-1.5B BF16", WeightFormat::bf16, WeightFormat::bf16, 28, 1536, 2048, 1536, 8960, 151936, 0, 0},
    {"Llama-3-70B AWQ", WeightFormat::int4_awq, WeightFormat::int4_awq, 32, 8192, 10240, 8192, 28672, 128256,
     0, 0},
    {"gpt-oss-120b MXFP4 (8 layers)", WeightFormat::bf16, WeightFormat::mxfp4, 8, 2880, 5120, 4096, 2880,
     201088, 128, 4},
    {"Mixtral-8x7B FP8 (8 layers)", WeightFormat::fp8_e4m3, WeightFormat::fp8_e4m3, 8, 4096, 6144, 4096,
     14336, 32000, 8, 2},
};

struct Layer {
  DeviceMatrix qkv, output, gate_up, down, router;
  ExpertMatrices expert_gate_up, expert_down;
};

void chain(Pool& pool, const Buffers& buffers, const Products& products, const Model& model, int vectors,
           bool programmatic, double read) {
  const ExpertProducts expert_products(products);
  std::vector<Layer> layers(static_cast<std::size_t>(model.layers));
  const RowOrder order = model.experts > 8 ? RowOrder::gate_up_interleaved : RowOrder::gate_then_up;
  double bytes = 0;
  const auto counted = [&](const DeviceMatrix& matrix) {
    bytes += static_cast<double>(data_bytes(matrix) + scale_bytes(matrix));
    return matrix;
  };
  for (Layer& layer : layers) {
    layer.qkv = counted(pool.matrix(model.attention, RowOrder::plain, model.qkv, model.hidden));
    layer.output = counted(pool.matrix(model.attention, RowOrder::plain, model.hidden, model.attended));
    if (model.experts == 0) {
      layer.gate_up = counted(pool.matrix(model.feed_forward, order, 2 * model.inter, model.hidden));
      layer.down = counted(pool.matrix(model.feed_forward, RowOrder::plain, model.hidden, model.inter));
    } else {
      layer.router = counted(pool.matrix(WeightFormat::bf16, RowOrder::plain, model.experts, model.hidden));
      layer.expert_gate_up =
          pool.experts(model.feed_forward, order, 2 * model.inter, model.hidden, model.experts);
      layer.expert_down =
          pool.experts(model.feed_forward, RowOrder::plain, model.hidden, model.inter, model.experts);
    }
  }
  const DeviceMatrix head =
      counted(pool.matrix(WeightFormat::bf16, RowOrder::plain, model.vocab, model.hidden));
  const VectorInput normed{buffers.input, model.hidden, buffers.squares, square_count(model.hidden), 1e-5F};
  const ResidualOutput residual{buffers.residual, model.hidden,  nullptr,
                                buffers.norm,     buffers.input, buffers.squares};
  const auto step = [&](cudaStream_t stream) {
    const Launch launch{stream, programmatic};
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const Layer& layer = layers[i];
      products.multiply(layer.qkv, normed, vectors, StoreOutput{buffers.y, model.qkv, nullptr}, launch);
      products.multiply(layer.output, {buffers.activated, model.attended, nullptr, 0, 0}, vectors, residual,
                        launch);
      if (model.experts == 0) {
        products.multiply(layer.gate_up, normed, vectors,
                          GatedOutput{buffers.activated, model.inter, nullptr, Activation::silu}, launch);
        products.multiply(layer.down, {buffers.activated, model.inter, nullptr, 0, 0}, vectors, residual,
                          launch);
        continue;
      }
      const Routing routing{model.chosen, buffers.ids, buffers.pair_weights,
                            buffers.active + i * kActiveWords, nullptr};
      products.multiply(layer.router, normed, vectors, StoreOutput{buffers.y, model.experts, nullptr},
                        launch);
      expert_products.route(buffers.y, vectors, model.experts, RouterOrder::top_k_then_softmax, routing,
                            launch);
      expert_products.gate_up(layer.expert_gate_up, normed, vectors, routing,
                              GatedOutput{buffers.activated, model.inter, nullptr, Activation::silu}, launch);
      expert_products.down(layer.expert_down, {buffers.activated, model.inter, nullptr, 0, 0}, vectors,
                           routing, residual, nullptr, launch);
    }
    const ArgMaxOutput best{buffers.best, buffers.row, nullptr, 0};
    products.multiply(head, normed, vectors, best, launch);
    products.arg_max(best, vectors, buffers.next, launch);
  };
  const double seconds = median_seconds(step);
  if (model.experts > 0) {
    for (std::size_t i = 0; i < layers.size(); ++i) {
      std::int32_t active = 0;
      check(cudaMemcpy(&active, buffers.active + i * kActiveWords, sizeof active, cudaMemcpyDeviceToHost),
            "cudaMemcpy");
      for (const DeviceMatrix& matrix : {layers[i].expert_gate_up.first, layers[i].expert_down.first})
        bytes += active * static_cast<double>(data_bytes(matrix) + scale_bytes(matrix));
    }
  }
  char name[80];
  std::snprintf(name, sizeof name, "chain %s%s", model.name.data(), programmatic ? "" : ", no overlap");
  print(name, vectors, bytes, seconds, read);
}

}  // namespace

int main(int count, char** words) {
  const double gib = count > 1 ? std::atof(words[1]) : 16;
  Pool pool(static_cast<std::size_t>(gib * (1 << 30)));
  const Buffers buffers;
  const Products products;
  const double read_seconds = median_seconds([&](cudaStream_t stream) {
    read_all<<<132 * 4, 512, 0, stream>>>(static_cast<const uint4*>(pool.data()), pool.bytes() / 16,
                                          reinterpret_cast<std::uint32_t*>(buffers.ids));
  });
  const double read = static_cast<double>(pool.bytes()) / read_seconds;
  std::printf("read %.1f GB/s\n", 1e-9 * read);
  for (const Model& model : kModels) {
    for (const int vectors : {1, 8}) {
      for (const bool programmatic : {true, false})
        chain(pool, buffers, products, model, vectors, programmatic, read);
    }
  }
  single_products(pool, buffers, products, read);
}
