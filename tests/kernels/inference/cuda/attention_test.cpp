// Decode attention on a cache that the test fills, against a computation in double precision. What no token
// of a sequence owns is NaN. Skipped without a GPU.

#include "kernels/inference/cuda/attention.hpp"

#include <gmock/gmock.h>

#include <limits>
#include <numeric>

#include "base/error.hpp"
#include "tests/kernels/inference/cuda/device_data.hpp"

namespace sparkmpi::kernels::inference::gpu {
namespace {

constexpr int kBlockTokens = 32;  // two tiles

struct Heads {
  int heads, kv_heads, head_dim;
};

/// What the cache makes of a number.
double stored(KvType type, float value) {
  return static_cast<double>(type == KvType::bf16 ? to_float(inference::to_bf16(value))
                                                  : e4m3_to_float(to_e4m3(value)));
}
/// What queries are rounded to before their products.
double operand(KvType type, float value) {
  return static_cast<double>(type == KvType::bf16 ? to_float(inference::to_bf16(value))
                                                  : half_to_float(to_half(value)));
}

/// Sequences with their caches and the step's projections, on the host and the device.
class Sequences {
 public:
  Sequences(const Heads& shape, KvType type, const std::vector<int>& contexts, Random& random)
      : shape_(shape),
        type_(type),
        contexts_(contexts),
        width_(device_kv_width(shape.head_dim)),
        stride_((shape.heads + 2 * shape.kv_heads) * shape.head_dim),
        qkv_(uniforms(random, contexts.size() * wide(stride_), -2, 2)) {
    make_tables(random);
    for (std::size_t s = 0; s < contexts.size(); ++s) {
      positions_.push_back(contexts[s] - 1);
      for (int pair = 0; pair < shape.head_dim / 2; ++pair) {
        const float angle = uniform(random, 0, 6);
        rotation_.push_back({std::cos(angle), std::sin(angle)});
      }
      for (int token = 0; token + 1 < contexts[s]; ++token) fill(static_cast<int>(s), token, random);
    }
  }

  int count() const { return static_cast<int>(contexts_.size()); }
  int out_stride() const { return shape_.heads * shape_.head_dim; }

  /// Runs the kernel on a fresh copy of the cache. @param cache what it has become.
  std::vector<Bf16> run(int splits, int window, const std::vector<float>& sinks, bool programmatic,
                        std::vector<std::uint8_t>* cache = nullptr) const {
    const DeviceArray<std::uint8_t> kv(kv_);
    const DeviceArray<float> qkv(qkv_), device_sinks(sinks.empty() ? std::vector<float>(1) : sinks);
    const DeviceArray<float2> rotation(rotation_);
    const DeviceArray<std::int32_t> positions(positions_), rows(rows_), tables(tables_);
    const DeviceArray<Bf16> out(wide(count()) * wide(out_stride()));
    const DeviceArray<float> sums(split_floats(splits, shape_.heads, shape_.kv_heads, width_, count()));
    const DeviceArray<std::uint32_t> arrived(
        std::vector<std::uint32_t>(split_counters(shape_.heads, shape_.kv_heads, count()), 0U));
    AttentionInput input;
    input.qkv = qkv.data();
    input.stride = stride_;
    input.heads = shape_.heads;
    input.head_dim = shape_.head_dim;
    input.rotation = rotation.data();
    input.tokens = {positions.data(), rows.data(), tables.data(), table_stride_};
    input.kv = {reinterpret_cast<std::byte*>(kv.data()), type_, kBlockTokens, shape_.kv_heads, width_};
    input.window = window;
    input.sinks = sinks.empty() ? nullptr : device_sinks.data();
    input.out = out.data();
    input.out_stride = out_stride();
    decode_attention(input, count(), splits, {sums.data(), arrived.data()}, {nullptr, programmatic});
    EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
    EXPECT_THAT(arrived.read(), testing::Each(0U)) << "counters are left as they were";
    if (cache != nullptr) *cache = kv.read();
    return out.read();
  }

  /// The outputs of one head, in double precision from the rounded operands.
  std::vector<double> expected(int sequence, int head, int window, const std::vector<float>& sinks) const {
    const int kv_head = head / (shape_.heads / shape_.kv_heads), last = contexts_[wide(sequence)] - 1;
    const int first = window > 0 ? std::max(0, last - window + 1) : 0;
    std::vector<double> query;
    for (const float element : rotated(sequence, head)) query.push_back(operand(type_, element));
    std::vector<double> scores, sums(wide(shape_.head_dim), 0.0);
    for (int token = first; token <= last; ++token) {
      const std::vector<double> key = row(sequence, kv_head, 0, token);
      scores.push_back(std::inner_product(query.begin(), query.end(), key.begin(), 0.0) /
                       std::sqrt(shape_.head_dim));
    }
    double highest = *std::ranges::max_element(scores);
    if (!sinks.empty()) highest = std::max(highest, static_cast<double>(sinks[wide(head)]));
    double total = sinks.empty() ? 0 : std::exp(static_cast<double>(sinks[wide(head)]) - highest);
    for (int token = first; token <= last; ++token) {
      const double weight = std::exp(scores[wide(token - first)] - highest);
      const std::vector<double> value = row(sequence, kv_head, 1, token);
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += weight * value[i];
      total += weight;
    }
    for (double& sum : sums) sum /= total;
    return sums;
  }

  /// Bytes of the cache that hold the step's own keys and values, and what they should decode to, and all
  /// other bytes as they were.
  void expect_appended(const std::vector<std::uint8_t>& cache) const {
    std::vector<std::uint8_t> rest = cache;
    std::size_t wrong = 0;
    for (int s = 0; s < count(); ++s) {
      const int token = contexts_[wide(s)] - 1;
      for (int head = 0; head < shape_.kv_heads; ++head) {
        for (const int part : {0, 1}) {
          const std::vector<double> own = row(s, head, part, token);
          const std::size_t at = index(s, head, part, token);
          for (std::size_t i = 0; i < own.size(); ++i) {
            // A rotation's last bit may fall to either side of a rounding's border.
            const double allowed = part == 1 ? 0 : std::abs(own[i]) * (type_ == KvType::bf16 ? 1e-2 : 0.13);
            if (!(std::abs(decoded(cache, at + i) - own[i]) <= allowed + (part == 1 ? 0 : 2e-3))) ++wrong;
          }
          const std::size_t bytes = wide(shape_.head_dim) * element_bytes(type_);
          std::copy_n(kv_.begin() + static_cast<std::ptrdiff_t>(at * element_bytes(type_)), bytes,
                      rest.begin() + static_cast<std::ptrdiff_t>(at * element_bytes(type_)));
        }
      }
    }
    EXPECT_EQ(wrong, 0U) << "elements of the step's own keys and values";
    EXPECT_TRUE(rest == kv_) << "other places of the cache have changed";
  }

 private:
  /// Blocks in random order, one more than the sequences need.
  void make_tables(Random& random) {
    for (const int context : contexts_)
      table_stride_ = std::max(table_stride_, (context + kBlockTokens - 1) / kBlockTokens);
    std::int32_t blocks = 1;
    for (const int context : contexts_) blocks += (context + kBlockTokens - 1) / kBlockTokens;
    std::vector<std::int32_t> free(wide(blocks));
    std::iota(free.begin(), free.end(), 0);
    std::ranges::shuffle(free, random);
    // Rows of the tables in another order than the tokens.
    tables_.assign(contexts_.size() * wide(table_stride_), std::numeric_limits<std::int32_t>::max());
    for (std::size_t s = 0; s < contexts_.size(); ++s) {
      rows_.push_back(static_cast<std::int32_t>(contexts_.size() - 1 - s));
      for (int b = 0; b < (contexts_[s] + kBlockTokens - 1) / kBlockTokens; ++b) {
        tables_[wide(rows_.back()) * wide(table_stride_) + wide(b)] = free.back();
        free.pop_back();
      }
    }
    kv_.assign(wide(blocks) * wide(shape_.kv_heads) * 2 * kBlockTokens * wide(width_) * element_bytes(type_),
               0xff);  // NaN in both types
  }

  /// The place of a token's head, in elements.
  std::size_t index(int sequence, int kv_head, int part, int token) const {
    const std::int32_t block =
        tables_[wide(rows_[wide(sequence)]) * wide(table_stride_) + wide(token / kBlockTokens)];
    return (((wide(block) * wide(shape_.kv_heads) + wide(kv_head)) * 2 + wide(part)) * kBlockTokens +
            wide(token % kBlockTokens)) *
           wide(width_);
  }

  /// A token's keys and values in all heads; zeros beyond a head's own elements, as an engine leaves them.
  void fill(int sequence, int token, Random& random) {
    for (int head = 0; head < shape_.kv_heads; ++head) {
      for (const int part : {0, 1}) {
        const std::size_t at = index(sequence, head, part, token);
        for (int i = 0; i < width_; ++i)
          encode(at + wide(i), i < shape_.head_dim ? uniform(random, -2, 2) : 0.0F);
      }
    }
  }
  void encode(std::size_t at, float value) {
    if (type_ == KvType::bf16) {
      const Bf16 bits = inference::to_bf16(value);
      std::memcpy(kv_.data() + 2 * at, &bits, 2);
    } else {
      kv_[at] = to_e4m3(value);
    }
  }
  double decoded(const std::vector<std::uint8_t>& cache, std::size_t at) const {
    if (type_ == KvType::fp8_e4m3) return static_cast<double>(e4m3_to_float(cache[at]));
    Bf16 bits = 0;
    std::memcpy(&bits, cache.data() + 2 * at, 2);
    return static_cast<double>(to_float(bits));
  }

  /// Row `head` of the sequence's projection, rotated.
  std::vector<float> rotated(int sequence, int head) const {
    const int half = shape_.head_dim / 2;
    const float* const from = qkv_.data() + wide(sequence) * wide(stride_) + wide(head * shape_.head_dim);
    std::vector<float> result(wide(shape_.head_dim));
    for (int i = 0; i < half; ++i) {
      const float2 turn = rotation_[wide(sequence) * wide(half) + wide(i)];
      result[wide(i)] = from[i] * turn.x - from[i + half] * turn.y;
      result[wide(i + half)] = from[i + half] * turn.x + from[i] * turn.y;
    }
    return result;
  }

  /// A token's key (part 0) or value: from the cache, the own one from the projection.
  std::vector<double> row(int sequence, int kv_head, int part, int token) const {
    std::vector<double> result;
    if (token + 1 < contexts_[wide(sequence)]) {
      const std::size_t at = index(sequence, kv_head, part, token);
      for (int i = 0; i < shape_.head_dim; ++i) result.push_back(decoded(kv_, at + wide(i)));
    } else if (part == 0) {
      for (const float element : rotated(sequence, shape_.heads + kv_head))
        result.push_back(stored(type_, element));
    } else {
      const float* const from = qkv_.data() + wide(sequence) * wide(stride_) +
                                wide((shape_.heads + shape_.kv_heads + kv_head) * shape_.head_dim);
      for (int i = 0; i < shape_.head_dim; ++i) result.push_back(stored(type_, from[i]));
    }
    return result;
  }

  Heads shape_;
  KvType type_;
  std::vector<int> contexts_;  ///< the own token included
  int width_, stride_, table_stride_ = 0;
  std::vector<float> qkv_;
  std::vector<float2> rotation_;
  std::vector<std::int32_t> positions_, rows_, tables_;
  std::vector<std::uint8_t> kv_;
};

using DecodeAttentionTest = GpuTest;

const std::vector<int> kContexts = {1, 15, 16, 17, 127, 128, 129, 255, 256, 257, 300, 600};

/// Probabilities are rounded to eight bits before their product, as is the result.
constexpr double kTolerance = 0.02;

void expect_near(const Sequences& sequences, const Heads& shape, const std::vector<Bf16>& out, int window,
                 const std::vector<float>& sinks) {
  std::size_t wrong = 0;
  for (int s = 0; s < sequences.count(); ++s) {
    for (int head = 0; head < shape.heads; ++head) {
      const std::vector<double> expected = sequences.expected(s, head, window, sinks);
      for (std::size_t i = 0; i < expected.size(); ++i) {
        const auto actual = static_cast<double>(
            to_float(out[wide(s) * wide(sequences.out_stride()) + wide(head * shape.head_dim) + i]));
        if (std::abs(actual - expected[i]) <= kTolerance) continue;
        if (++wrong <= 3)
          ADD_FAILURE() << "sequence " << s << ", head " << head << ", element " << i << ": " << actual
                        << ", not " << expected[i];
      }
    }
  }
  EXPECT_EQ(wrong, 0U);
}

TEST_F(DecodeAttentionTest, GivesTheSoftmaxOverItsContext) {
  for (const KvType type : {KvType::bf16, KvType::fp8_e4m3}) {
    const Heads shape{8, 2, 128};
    const Sequences sequences(shape, type, kContexts, random);
    const std::vector<float> sinks = uniforms(random, wide(shape.heads), -1, 6);
    for (const int window : {0, 100, 16, 1}) {
      for (const bool with_sinks : {false, true}) {
        const std::vector<float> some = with_sinks ? sinks : std::vector<float>{};
        for (const int splits : {1, 3, 64}) {
          SCOPED_TRACE(std::string(to_string(type)) + ", window " + std::to_string(window) +
                       (with_sinks ? ", sinks, " : ", ") + std::to_string(splits) + " splits");
          std::vector<std::uint8_t> cache;
          expect_near(sequences, shape, sequences.run(splits, window, some, splits == 3, &cache), window,
                      some);
          sequences.expect_appended(cache);
        }
      }
    }
  }
}

TEST_F(DecodeAttentionTest, AtEveryWidthAndGroup) {
  // Heads smaller than their width; an odd number of heads a block; groups that take two blocks.
  for (const KvType type : {KvType::bf16, KvType::fp8_e4m3}) {
    for (const Heads& shape : {Heads{4, 4, 32},
                               {7, 1, 64},
                               {16, 1, 64},
                               {12, 2, 80},
                               {3, 1, 96},
                               {12, 2, 128},
                               {24, 2, 128},
                               {8, 1, 256},
                               {2, 2, 200}}) {
      SCOPED_TRACE(std::string(to_string(type)) + ", " + std::to_string(shape.heads) + " heads of " +
                   std::to_string(shape.head_dim) + ", " + std::to_string(shape.kv_heads) + " of the cache");
      const Sequences sequences(shape, type, {2, 47, 160, 600, 1100}, random);
      const std::vector<float> sinks = uniforms(random, wide(shape.heads), -1, 3);
      for (const int splits : {1, 8}) {
        std::vector<std::uint8_t> cache;
        expect_near(sequences, shape, sequences.run(splits, 0, sinks, true, &cache), 0, sinks);
        sequences.expect_appended(cache);
      }
    }
  }
}

TEST_F(DecodeAttentionTest, LongContextsRepeatBitByBit) {
  // More than 32 tiles a warp, and splits that finish in any order.
  const Heads shape{12, 2, 128};
  const Sequences sequences(shape, KvType::bf16, {9001, 5000}, random);
  for (const int splits : {1, 2, 64}) {
    const std::vector<Bf16> out = sequences.run(splits, 0, {}, true);
    expect_near(sequences, shape, out, 0, {});
    for (int repetition = 0; repetition < 5; ++repetition)
      EXPECT_EQ(sequences.run(splits, 0, {}, true), out) << splits << " splits";
  }
}

TEST_F(DecodeAttentionTest, RefusesHeadsThatItsLoadsCannotTake) {
  const Sequences sequences({2, 1, 30}, KvType::bf16, {3}, random);
  EXPECT_THROW(sequences.run(1, 0, {}, false), UsageError);
}

}  // namespace
}  // namespace sparkmpi::kernels::inference::gpu
