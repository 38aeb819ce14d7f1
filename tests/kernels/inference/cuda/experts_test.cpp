#include "kernels/inference/cuda/linear/experts.hpp"

#include <gmock/gmock.h>

#include <numeric>

#include "base/error.hpp"
#include "tests/kernels/inference/cuda/device_data.hpp"

namespace sparkmpi::kernels::inference::gpu {
namespace {

/// A routing's arrays.
struct RoutingArrays {
  RoutingArrays(int tokens, int experts, int chosen)
      : ids(wide(tokens * chosen)),
        weights(wide(tokens * chosen)),
        active(wide(kActiveWords)),
        groups(wide(group_words(experts, tokens * chosen))),
        routing{chosen, ids.data(), weights.data(), active.data(), groups.data()} {}
  DeviceArray<std::int32_t> ids;
  DeviceArray<float> weights;
  DeviceArray<std::int32_t> active, groups;
  Routing routing;
};

using ExpertsTest = GpuTest;

TEST_P(ExpertsTest, RoutesToTheBest) {
  const Products products;
  const ExpertProducts expert_products(products);
  struct Case {
    int experts, chosen;
  };
  for (const auto [experts, chosen] : {Case{8, 2}, {128, 4}, {60, 8}, {1, 1}}) {
    for (const int tokens : {1, 5, 8, 9, 1500}) {
      for (const RouterOrder order : {RouterOrder::top_k_then_softmax, RouterOrder::softmax_then_top_k}) {
        std::vector<float> logits = uniforms(random, wide(tokens * experts), -4, 4);
        for (float& logit : logits) logit = std::round(logit * 8) / 8;  // with ties
        const DeviceArray<float> device_logits(logits);
        const RoutingArrays arrays(tokens, experts, chosen);
        expert_products.route(device_logits.data(), tokens, experts, order, arrays.routing,
                              {nullptr, tokens == 5});
        ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
        const auto ids = arrays.ids.read();
        const auto weights = arrays.weights.read();
        std::size_t wrong_ids = 0, wrong_weights = 0;
        for (int token = 0; token < tokens; ++token) {
          const float* const row = logits.data() + wide(token) * wide(experts);
          std::vector<int> sorted(wide(experts));
          std::iota(sorted.begin(), sorted.end(), 0);
          std::ranges::stable_sort(sorted, [&](int a, int b) { return row[a] > row[b]; });
          double total = 0;
          const int counted = order == RouterOrder::softmax_then_top_k ? experts : chosen;
          for (int k = 0; k < counted; ++k) total += std::exp(static_cast<double>(row[sorted[wide(k)]]));
          for (int k = 0; k < chosen; ++k) {
            const std::size_t pair = wide(token * chosen + k);
            wrong_ids += ids[pair] != sorted[wide(k)];
            wrong_weights += !(std::abs(static_cast<double>(weights[pair]) -
                                        std::exp(static_cast<double>(row[sorted[wide(k)]])) / total) < 1e-5);
          }
        }
        EXPECT_EQ(wrong_ids, 0U);
        EXPECT_EQ(wrong_weights, 0U);
      }
    }
  }
  EXPECT_THROW(expert_products.route(nullptr, 1, 300, RouterOrder::top_k_then_softmax, Routing{}, {}),
               UsageError);
}

TEST_P(ExpertsTest, FewAndManyTokensThroughTheirExperts) {
  const Products products;
  const ExpertProducts expert_products(products);
  const int experts = 12, chosen = 3;
  const int hidden = GetParam() == WeightFormat::int4_awq ? 384 : 416,
            inter = GetParam() == WeightFormat::int4_awq ? 256 : 288;
  const TestMatrices gate_up(GetParam(), RowOrder::gate_up_interleaved, 2 * inter, hidden, experts, random);
  const TestMatrices down(GetParam(), RowOrder::plain, hidden, inter, experts, random);
  const std::vector<float> bias = uniforms(random, wide(experts * 2 * inter), -1, 1),
                           down_bias = uniforms(random, wide(experts * hidden), -1, 1),
                           norm = uniforms(random, wide(hidden), 0.5F, 2);
  const DeviceArray<float> device_bias(bias), device_down_bias(down_bias), device_norm(norm);
  for (const int tokens : {1, 3, 8, 9, 75, 400}) {
    SCOPED_TRACE(std::to_string(tokens) + " tokens");
    const TestVectors x(tokens, hidden, hidden, true, random);
    const std::vector<float> logits = uniforms(random, wide(tokens * experts), -2, 2);
    const DeviceArray<float> device_logits(logits);
    const RoutingArrays arrays(tokens, experts, chosen);
    const std::vector<float> before = uniforms(random, wide(tokens * hidden), -2, 2);
    const DeviceArray<float> residual(before), pairs(wide(tokens * chosen * hidden)),
        squares(wide(tokens * square_count(hidden)));
    const DeviceArray<Bf16> activated_pairs(wide(tokens * chosen * inter)), next(before.size());
    const Launch launch{nullptr, tokens % 2 == 1};
    expert_products.route(device_logits.data(), tokens, experts, RouterOrder::top_k_then_softmax,
                          arrays.routing, launch);
    expert_products.gate_up(
        gate_up.experts(), x.input, tokens, arrays.routing,
        GatedOutput{activated_pairs.data(), inter, device_bias.data(), Activation::clamped_swiglu}, launch);
    expert_products.down(down.experts(), {activated_pairs.data(), inter, nullptr, 0, 0}, tokens,
                         arrays.routing,
                         ResidualOutput{residual.data(), hidden, device_down_bias.data(), device_norm.data(),
                                        next.data(), squares.data()},
                         pairs.data(), launch);
    ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
    const auto ids = arrays.ids.read();
    const auto weights = arrays.weights.read();
    const auto middle = activated_pairs.read();
    const auto after = residual.read();
    const auto input = next.read();
    const auto sums = squares.read();
    std::size_t wrong_middle = 0, wrong_after = 0, wrong_input = 0, wrong_squares = 0;
    for (int token = 0; token < tokens; ++token) {
      std::vector<double> expected(wide(hidden)), allowed(wide(hidden), 1e-5);
      for (int h = 0; h < hidden; ++h)
        expected[wide(h)] = static_cast<double>(before[wide(token * hidden + h)]);
      for (int k = 0; k < chosen; ++k) {
        const int pair = token * chosen + k, expert_id = ids[wide(pair)];
        const Bf16* const act = middle.data() + wide(pair * inter);
        for (int i = 0; i < inter; ++i) {
          const auto [g, u] = gate_and_up(gate_up.matrix(), i);
          double size = 0, other = 0;
          const double gate = x.product(gate_up.row(expert_id, g), hidden, token, size) +
                              static_cast<double>(bias[wide(expert_id * 2 * inter + g)]);
          const double up = x.product(gate_up.row(expert_id, u), hidden, token, other) +
                            static_cast<double>(bias[wide(expert_id * 2 * inter + u)]);
          const double value = activated(Activation::clamped_swiglu, gate, up);
          const double error = 4 * accumulation_error(size + other) * (1 + std::abs(gate) + std::abs(up)) +
                               std::abs(value) / 256 + 1e-5;
          wrong_middle += !(std::abs(static_cast<double>(to_float(act[i])) - value) <= error);
        }
        // From what the device really has in between, so that its rounding does not count again.
        for (int h = 0; h < hidden; ++h) {
          double sum = static_cast<double>(down_bias[wide(expert_id * hidden + h)]), size = 0;
          for (int i = 0; i < inter; ++i) {
            const double term = down.row(expert_id, h)[i] * static_cast<double>(to_float(act[i]));
            sum += term;
            size += std::abs(term);
          }
          expected[wide(h)] += static_cast<double>(weights[wide(pair)]) * sum;
          allowed[wide(h)] += accumulation_error(size);
        }
      }
      double square = 0, all = 0;
      for (int h = 0; h < hidden; ++h) {
        const std::size_t i = wide(token * hidden + h);
        wrong_after += !(std::abs(static_cast<double>(after[i]) - expected[wide(h)]) <= allowed[wide(h)]);
        wrong_input += inference::to_bf16(after[i] * norm[wide(h)]) != input[i];
        square += static_cast<double>(after[i]) * static_cast<double>(after[i]);
      }
      for (int t = 0; t < square_count(hidden); ++t)
        all += static_cast<double>(sums[wide(token * square_count(hidden) + t)]);
      wrong_squares += !(std::abs(all - square) <= 1e-5 * square);
    }
    EXPECT_EQ(wrong_middle, 0U);
    EXPECT_EQ(wrong_after, 0U);
    EXPECT_EQ(wrong_input, 0U);
    EXPECT_EQ(wrong_squares, 0U);
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, ExpertsTest,
                         testing::Values(WeightFormat::bf16, WeightFormat::fp8_e4m3, WeightFormat::int4_awq,
                                         WeightFormat::mxfp4),
                         [](const auto& each) { return name_of(each.param); });

}  // namespace
}  // namespace sparkmpi::kernels::inference::gpu
