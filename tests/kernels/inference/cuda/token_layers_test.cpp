#include "kernels/inference/cuda/token_layers.hpp"

#include <gmock/gmock.h>

#include "kernels/inference/cuda/device.hpp"
#include "tests/kernels/inference/cuda/device_data.hpp"

namespace sparkmpi::kernels::inference::gpu {
namespace {

using StepStartTest = GpuTest;

TEST_F(StepStartTest, EmbedsRotatesAndDoesTheFirstHalfOfANorm) {
  const int hidden = 1000, vocab = 50, pairs = 48;
  std::vector<Bf16> embedding(wide(vocab) * wide(hidden));
  for (Bf16& element : embedding) element = inference::to_bf16(uniform(random, -3, 3));
  const std::vector<float> norm = uniforms(random, wide(hidden), 0, 2);
  std::vector<double> frequencies(wide(pairs));
  for (int i = 0; i < pairs; ++i) frequencies[wide(i)] = std::pow(10000.0, -i / 48.0);
  for (const int tokens : {1, 8, 11}) {
    const PinnedMemory host(3 * wide(tokens) * sizeof(std::int32_t), "a test");
    std::int32_t* const ids = host.as<std::int32_t>();
    for (int t = 0; t < tokens; ++t) {
      ids[t] = static_cast<std::int32_t>(random() % wide(vocab));
      ids[tokens + t] = static_cast<std::int32_t>(random() % 30'000);
      ids[2 * tokens + t] = t + 5;
    }
    const DeviceArray<std::int32_t> device_ids(wide(tokens)), positions(wide(tokens)), rows(wide(tokens));
    const DeviceArray<Bf16> table(embedding), input(wide(tokens) * wide(hidden));
    const DeviceArray<float> device_norm(norm), residual(wide(tokens) * wide(hidden)),
        squares(wide(tokens) * wide(square_count(hidden)));
    const DeviceArray<double> device_frequencies(frequencies);
    const DeviceArray<float2> rotation(wide(tokens) * wide(pairs));
    StepStart start;
    start.ids = ids;
    start.positions = ids + tokens;
    start.rows = ids + 2 * tokens;
    start.device_ids = device_ids.data();
    start.device_positions = positions.data();
    start.device_rows = rows.data();
    start.embedding = table.data();
    start.embedding_scale = 1.5F;
    start.hidden = hidden;
    start.residual = {residual.data(), hidden, nullptr, device_norm.data(), input.data(), squares.data()};
    start.frequencies = device_frequencies.data();
    start.rotation_magnitude = 1.25;
    start.pairs = pairs;
    start.rotation = rotation.data();
    start_step(start, tokens, {nullptr, true});
    ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
    EXPECT_THAT(positions.read(), testing::ElementsAreArray(ids + tokens, wide(tokens)));
    EXPECT_THAT(rows.read(), testing::ElementsAreArray(ids + 2 * tokens, wide(tokens)));
    const auto values = residual.read();
    const auto rounded = input.read();
    const auto sums = squares.read();
    const auto turns = rotation.read();
    for (std::size_t t = 0; t < wide(tokens); ++t) {
      double all = 0, expected = 0;
      for (std::size_t i = 0; i < wide(hidden); ++i) {
        const float value = to_float(embedding[wide(ids[t]) * wide(hidden) + i]) * 1.5F;
        ASSERT_EQ(values[t * wide(hidden) + i], value);
        ASSERT_EQ(rounded[t * wide(hidden) + i], inference::to_bf16(value * norm[i]));
        expected += static_cast<double>(value) * static_cast<double>(value);
      }
      for (std::size_t i = 0; i < wide(square_count(hidden)); ++i)
        all += static_cast<double>(sums[t * wide(square_count(hidden)) + i]);
      EXPECT_NEAR(all, expected, 1e-5 * expected);
      for (std::size_t i = 0; i < wide(pairs); ++i) {
        const double angle = ids[wide(tokens) + t] * frequencies[i];
        EXPECT_NEAR(static_cast<double>(turns[t * wide(pairs) + i].x), 1.25 * std::cos(angle), 1e-6);
        EXPECT_NEAR(static_cast<double>(turns[t * wide(pairs) + i].y), 1.25 * std::sin(angle), 1e-6);
      }
    }
  }
}

}  // namespace
}  // namespace sparkmpi::kernels::inference::gpu
