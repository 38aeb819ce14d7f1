// The GPU's decode attention: microseconds a layer and GB/s of keys and values. Once by itself, layer after
// layer in a CUDA graph (small caches then stay in the second-level cache); and as what it adds to the
// products before and after it, whose weights rotate through far more memory than any cache, as a decode
// step's do.
//
//   bench_attention [GIB]        memory for weights and caches, default 16

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string_view>
#include <vector>

#include "kernels/inference/cuda/attention.hpp"
#include "kernels/inference/cuda/linear/products.hpp"
#include "tests/bench/device_bench.cuh"

namespace {

using namespace sparkmpi::kernels::inference;
using namespace sparkmpi::kernels::inference::gpu;
using namespace sparkmpi::bench;

struct Model {
  std::string_view name;
  int heads, kv_heads, head_dim, hidden;
  int query() const { return heads * head_dim; }
  int qkv() const { return (heads + 2 * kv_heads) * head_dim; }
};
constexpr Model kModels[] = {{"Llama-3-8B", 32, 8, 128, 4096}, {"Qwen2-1.5B", 12, 2, 128, 1536}};
constexpr int kContexts[] = {16, 128, 256, 512, 2048, 32768};
constexpr int kBlockTokens = 16;

/// Device memory with what the host gives.
template <class T>
class Array {
 public:
  explicit Array(const std::vector<T>& values) {
    check(cudaMalloc(&data_, values.size() * sizeof(T)), "cudaMalloc");
    check(cudaMemcpy(data_, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice), "cudaMemcpy");
  }
  ~Array() { static_cast<void>(cudaFree(data_)); }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;
  T* data() const { return data_; }

 private:
  T* data_ = nullptr;
};

struct Layer {
  DeviceMatrix qkv, output;
  KvLayer kv;
};

/// One model's layers at one context and batch.
class Case {
 public:
  Case(Pool& pool, const Products& products, const Model& model, int context, int batch, KvType type)
      : products_(products),
        model_(model),
        batch_(batch),
        blocks_((context + kBlockTokens - 1) / kBlockTokens),
        cache_bytes_(std::size_t{2} * static_cast<std::size_t>(batch) * static_cast<std::size_t>(blocks_) *
                     kBlockTokens * static_cast<std::size_t>(model.kv_heads * model.head_dim) *
                     element_bytes(type)),
        positions_(std::vector<std::int32_t>(static_cast<std::size_t>(batch), context - 1)),
        rows_(counted(batch)),
        tables_(counted(batch * blocks_)),
        rotation_(std::vector<float2>(static_cast<std::size_t>(batch * model.head_dim / 2), {0.6F, 0.8F})),
        qkv_(std::vector<float>(static_cast<std::size_t>(batch * model.qkv()), 0.5F)),
        residual_(std::vector<float>(static_cast<std::size_t>(batch * model.hidden), 0.5F)),
        norm_(std::vector<float>(static_cast<std::size_t>(model.hidden), 1.0F)),
        squares_(std::vector<float>(static_cast<std::size_t>(batch * square_count(model.hidden)), 16.0F)),
        input_(std::vector<std::uint16_t>(static_cast<std::size_t>(batch * model.hidden), 0x3c00)),
        attended_(std::vector<std::uint16_t>(static_cast<std::size_t>(batch * model.query()), 0x3c00)),
        splits_(context_splits(multiprocessors(), model.kv_heads, model.heads / model.kv_heads, batch)),
        sums_(std::vector<float>(split_floats(splits_, model.heads, model.kv_heads, model.head_dim, batch))),
        arrived_(std::vector<std::uint32_t>(split_counters(model.heads, model.kv_heads, batch))) {
    const auto layers = std::clamp<std::size_t>((std::size_t{1} << 30) / cache_bytes_, 4, 32);
    for (std::size_t i = 0; i < layers; ++i) {
      layers_.push_back({pool.matrix(WeightFormat::bf16, RowOrder::plain, model.qkv(), model.hidden),
                         pool.matrix(WeightFormat::bf16, RowOrder::plain, model.hidden, model.query()),
                         {static_cast<std::byte*>(pool.take(cache_bytes_)), type, kBlockTokens,
                          model.kv_heads, model.head_dim}});
    }
  }

  double cache_bytes() const { return static_cast<double>(cache_bytes_); }
  /// Seconds a layer.
  double seconds(bool with_products, bool with_attention) const {
    const double all = median_seconds([&](cudaStream_t stream) {
      for (const Layer& layer : layers_) run(layer, with_products, with_attention, {stream, true});
    });
    return all / static_cast<double>(layers_.size());
  }

 private:
  static std::vector<std::int32_t> counted(int count) {
    std::vector<std::int32_t> values(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) values[static_cast<std::size_t>(i)] = i;
    return values;
  }
  static int multiprocessors() {
    int device = 0, count = 0;
    check(cudaGetDevice(&device), "cudaGetDevice");
    check(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device), "cudaDeviceGetAttribute");
    return count;
  }
  void run(const Layer& layer, bool with_products, bool with_attention, const Launch& launch) const {
    if (with_products)
      products_.multiply(layer.qkv,
                         {input_.data(), model_.hidden, squares_.data(), square_count(model_.hidden), 1e-5F},
                         batch_, StoreOutput{qkv_.data(), model_.qkv(), nullptr}, launch);
    if (with_attention) {
      AttentionInput input;
      input.qkv = qkv_.data();
      input.stride = model_.qkv();
      input.heads = model_.heads;
      input.head_dim = model_.head_dim;
      input.rotation = rotation_.data();
      input.tokens = {positions_.data(), rows_.data(), tables_.data(), blocks_};
      input.kv = layer.kv;
      input.out = attended_.data();
      input.out_stride = model_.query();
      decode_attention(input, batch_, splits_, {sums_.data(), arrived_.data()}, launch);
    }
    if (with_products)
      products_.multiply(layer.output, {attended_.data(), model_.query(), nullptr, 0, 0}, batch_,
                         ResidualOutput{residual_.data(), model_.hidden, nullptr, norm_.data(), input_.data(),
                                        squares_.data()},
                         launch);
  }

  const Products& products_;
  const Model& model_;
  int batch_, blocks_;
  std::size_t cache_bytes_;
  Array<std::int32_t> positions_, rows_, tables_;
  Array<float2> rotation_;
  Array<float> qkv_, residual_, norm_, squares_;
  Array<std::uint16_t> input_, attended_;
  int splits_;
  Array<float> sums_;
  Array<std::uint32_t> arrived_;
  std::vector<Layer> layers_;
};

}  // namespace

int main(int count, char** words) {
  const double gib = count > 1 ? std::atof(words[1]) : 16;
  Pool pool(static_cast<std::size_t>(gib * (1 << 30)));
  const Products products;
  for (const Model& model : kModels) {
    for (const KvType type : {KvType::bf16, KvType::fp8_e4m3}) {
      for (const int batch : {1, 8}) {
        for (const int context : kContexts) {
          const Case here(pool, products, model, context, batch, type);
          const double alone = here.seconds(false, true);
          const double added = here.seconds(true, true) - here.seconds(true, false);
          std::printf("%-10.*s %-4.*s b%d %6d tokens: alone %8.2f us %7.1f GB/s, adds %8.2f us %7.1f GB/s\n",
                      static_cast<int>(model.name.size()), model.name.data(),
                      static_cast<int>(to_string(type).size()), to_string(type).data(), batch, context,
                      1e6 * alone, 1e-9 * here.cache_bytes() / alone, 1e6 * added,
                      1e-9 * here.cache_bytes() / added);
          std::fflush(stdout);
        }
      }
    }
  }
}
