#include "kernels/inference/cuda/linear/products.hpp"

#include <gmock/gmock.h>

#include "base/error.hpp"
#include "kernels/inference/cuda/linear/tile_layout.cuh"
#include "kernels/inference/cuda/linear/weight_map.hpp"
#include "tests/kernels/inference/cuda/device_data.hpp"

namespace sparkmpi::kernels::inference::gpu {
namespace {

class ProductsTest : public GpuTest {
 protected:
  /// Row lengths that end within a unit, within a warp's share, and over several slices; the last BF16 ones
  /// are whole units, as tensor maps want them.
  std::vector<int> columns() const {
    switch (GetParam()) {
      case WeightFormat::int4_awq:
        return {128, 1536, 4224};
      case WeightFormat::mxfp4:
        return {32, 96, 2880};
      case WeightFormat::bf16:
        return {8, 136, 1544, 4104, 64, 4096};
      case WeightFormat::fp8_e4m3:
        return {8, 136, 1544, 4104};
    }
    return {};
  }
};

struct Difference {
  double value, expected, allowed;
};
void expect_near(const std::vector<Difference>& differences) {
  std::size_t wrong = 0;
  for (const Difference& d : differences) {
    if (std::abs(d.value - d.expected) <= d.allowed) continue;
    if (++wrong <= 3)
      ADD_FAILURE() << "element " << &d - differences.data() << ": " << d.value << ", not " << d.expected
                    << " ± " << d.allowed;
  }
  EXPECT_EQ(wrong, 0U) << "of " << differences.size();
}

std::vector<Difference> stored_product(const Products& products, const TestMatrices& weights,
                                       const TestVectors& x, int vectors, const std::vector<float>& bias,
                                       bool programmatic) {
  const DeviceMatrix& matrix = weights.matrix();
  const DeviceArray<float> y(wide(vectors) * wide(matrix.rows + 8)), device_bias(bias);
  products.multiply(matrix, x.input, vectors, StoreOutput{y.data(), matrix.rows + 8, device_bias.data()},
                    {nullptr, programmatic});
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  const std::vector<float> result = y.read();
  std::vector<Difference> differences;
  for (int v = 0; v < vectors; ++v) {
    for (int r = 0; r < matrix.rows; ++r) {
      double size = 0;
      const double expected =
          x.product(weights.row(0, r), matrix.columns, v, size) + static_cast<double>(bias[wide(r)]);
      differences.push_back({static_cast<double>(result[wide(v) * wide(matrix.rows + 8) + wide(r)]), expected,
                             accumulation_error(size)});
    }
  }
  return differences;
}

TEST_P(ProductsTest, StoreWithBiasAndNormAtEveryBatch) {
  const Products products;
  for (const int columns : columns()) {
    for (const int rows : {8, 72, 1037, 1040}) {
      const TestMatrices weights(GetParam(), RowOrder::plain, rows, columns, 1, random);
      const std::vector<float> bias = uniforms(random, wide(rows), -3, 3);
      for (const int vectors : {1, 2, 3, 5, 8}) {
        SCOPED_TRACE(std::to_string(rows) + " x " + std::to_string(columns) + ", " + std::to_string(vectors) +
                     " vectors");
        const TestVectors x(vectors, columns, columns + 8, vectors % 2 == 1, random);
        expect_near(stored_product(products, weights, x, vectors, bias, vectors == 2));
      }
    }
  }
}

TEST_P(ProductsTest, ColumnsBeyondSharedMemoryInSlices) {
  const Products products;
  const int columns = 28672, rows = 40;
  const TestMatrices weights(GetParam(), RowOrder::plain, rows, columns, 1, random);
  const std::vector<float> bias(wide(rows), 0.5F);
  for (const int vectors : {1, 4, 8}) {
    const TestVectors x(vectors, columns, columns, true, random);
    expect_near(stored_product(products, weights, x, vectors, bias, false));
    expect_near(stored_product(products, weights, x, vectors, bias, true));  // the workspace is as it was
  }
}

TEST_P(ProductsTest, ResidualAndFirstHalfOfTheNextNorm) {
  const Products products;
  for (const int vectors : {1, 3, 8}) {
    for (const auto& [rows, columns] :
         {std::pair{88, columns().back()}, {96, columns().back()}, {88, 28672}, {96, 28672}}) {
      const int stride = rows;
      const TestMatrices weights(GetParam(), RowOrder::plain, rows, columns, 1, random);
      const TestVectors x(vectors, columns, columns, false, random);
      const std::vector<float> before = uniforms(random, wide(vectors) * wide(stride), -9, 9),
                               norm = uniforms(random, wide(rows), 0.5F, 2),
                               bias = uniforms(random, wide(rows), -3, 3);
      const DeviceArray<float> residual(before), device_norm(norm), device_bias(bias),
          squares(wide(vectors) * wide(square_count(rows)));
      const DeviceArray<Bf16> next(before.size());
      products.multiply(weights.matrix(), x.input, vectors,
                        ResidualOutput{residual.data(), stride, device_bias.data(), device_norm.data(),
                                       next.data(), squares.data()},
                        {});
      ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
      const auto after = residual.read();
      const auto input = next.read();
      const auto sums = squares.read();
      std::vector<Difference> residuals, inputs, partial;
      for (int v = 0; v < vectors; ++v) {
        std::vector<double> square(wide(square_count(rows)), 0.0);
        for (int r = 0; r < rows; ++r) {
          const std::size_t i = wide(v) * wide(stride) + wide(r);
          double size = 0;
          const double sum = x.product(weights.row(0, r), columns, v, size) + static_cast<double>(before[i]) +
                             static_cast<double>(bias[wide(r)]);
          const double error = accumulation_error(size);
          residuals.push_back({static_cast<double>(after[i]), sum, error});
          const double scaled = sum * static_cast<double>(norm[wide(r)]);
          inputs.push_back(
              {static_cast<double>(to_float(input[i])), scaled, 2 * error + std::abs(scaled) / 256});
          square[wide(r) / 16] += static_cast<double>(after[i]) * static_cast<double>(after[i]);
        }
        for (std::size_t t = 0; t < square.size(); ++t)
          partial.push_back(
              {static_cast<double>(sums[wide(v) * square.size() + t]), square[t], 1e-5 * square[t]});
      }
      expect_near(residuals);
      expect_near(inputs);
      expect_near(partial);
    }
  }
}

TEST_P(ProductsTest, GatedInBothOrdersWithEveryActivation) {
  const Products products;
  std::vector<int> lengths{columns()[1]};
  if (GetParam() == WeightFormat::bf16) lengths.push_back(64);  // for the tensor map
  for (const RowOrder order : {RowOrder::gate_then_up, RowOrder::gate_up_interleaved}) {
    for (const int columns : lengths) {
      const int rows = 144;
      const TestMatrices weights(GetParam(), order, rows, columns, 1, random);
      const std::vector<float> bias = uniforms(random, wide(rows), -3, 3);
      const DeviceArray<float> device_bias(bias);
      for (const Activation activation :
           {Activation::silu, Activation::gelu_tanh, Activation::clamped_swiglu}) {
        for (const int vectors : {1, 5, 8}) {
          const TestVectors x(vectors, columns, columns, true, random);
          const DeviceArray<Bf16> y(wide(vectors) * wide(rows / 2));
          products.multiply(weights.matrix(), x.input, vectors,
                            GatedOutput{y.data(), rows / 2, device_bias.data(), activation}, {});
          ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
          const auto result = y.read();
          std::vector<Difference> differences;
          for (int v = 0; v < vectors; ++v) {
            for (int i = 0; i < rows / 2; ++i) {
              const auto [gate_row, up_row] = gate_and_up(weights.matrix(), i);
              double size = 0, other = 0;
              const double gate = x.product(weights.row(0, gate_row), columns, v, size) +
                                  static_cast<double>(bias[wide(gate_row)]);
              const double up = x.product(weights.row(0, up_row), columns, v, other) +
                                static_cast<double>(bias[wide(up_row)]);
              const double expected = activated(activation, gate, up);
              const double error = 2 * accumulation_error(size + other) * (1 + std::abs(gate) + std::abs(up));
              differences.push_back(
                  {static_cast<double>(to_float(result[wide(v) * wide(rows / 2) + wide(i)])), expected,
                   error + std::abs(expected) / 256 + 1e-5});
            }
          }
          expect_near(differences);
        }
      }
    }
  }
}

TEST_P(ProductsTest, ArgMaxIsThatOfTheLogitsAndTheLowestRowWins) {
  const Products products;
  const int columns = this->columns()[1], rows = 4099;
  const TestMatrices weights(GetParam(), RowOrder::plain, rows, columns, 1, random);
  for (const int vectors : {1, 8}) {
    const TestVectors x(vectors, columns, columns, true, random);
    const DeviceArray<float> logits(wide(vectors) * wide(rows)),
        best(wide(products.arg_max_parts() * vectors));
    const DeviceArray<std::int32_t> row(wide(products.arg_max_parts() * vectors)), next(wide(vectors));
    const ArgMaxOutput output{best.data(), row.data(), logits.data(), rows};
    products.multiply(weights.matrix(), x.input, vectors, output, {nullptr, true});
    products.arg_max(output, vectors, next.data(), {nullptr, true});
    ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
    const auto all = logits.read();
    const auto chosen = next.read();
    for (int v = 0; v < vectors; ++v) {
      const auto begin = all.begin() + static_cast<std::ptrdiff_t>(v) * rows;
      EXPECT_EQ(chosen[wide(v)], std::max_element(begin, begin + rows) - begin);
      double size = 0;
      const double expected = x.product(weights.row(0, rows - 1), columns, v, size);
      EXPECT_NEAR(static_cast<double>(begin[rows - 1]), expected, accumulation_error(size));
    }
  }
  // Vectors of zeros: every logit is equal.
  const DeviceArray<Bf16> zeros(std::vector<Bf16>(wide(columns), 0));
  const DeviceArray<float> best(wide(products.arg_max_parts()));
  const DeviceArray<std::int32_t> row(wide(products.arg_max_parts())), next(1);
  products.multiply(weights.matrix(), VectorInput{zeros.data(), columns, nullptr, 0, 0}, 1,
                    ArgMaxOutput{best.data(), row.data(), nullptr, 0}, {});
  products.arg_max(ArgMaxOutput{best.data(), row.data(), nullptr, 0}, 1, next.data(), {});
  ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  EXPECT_THAT(next.read(), testing::ElementsAre(0));
}

TEST_P(ProductsTest, ToBf16RoundsTheExactValues) {
  for (const int columns : columns()) {
    for (const RowOrder order : {RowOrder::plain, RowOrder::gate_then_up, RowOrder::gate_up_interleaved}) {
      const int rows = order == RowOrder::plain ? 53 : 48;
      const TestMatrices weights(GetParam(), order, rows, columns, 1, random);
      const int first = 5, count = rows - 7;
      const DeviceArray<Bf16> out(wide(count) * wide(columns));
      to_bf16(weights.matrix(), first, count, out.data(), nullptr);
      ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
      const auto result = out.read();
      std::size_t wrong = 0;
      for (int r = 0; r < count; ++r) {
        for (std::size_t c = 0; c < wide(columns); ++c)
          wrong += to_float(result[wide(r) * wide(columns) + c]) !=
                   to_float(inference::to_bf16(static_cast<float>(weights.row(0, first + r)[c])));
      }
      EXPECT_EQ(wrong, 0U) << columns << " columns";
    }
  }
}

TEST_P(ProductsTest, OverlappingLaunchesInAGraphGiveTheSameBits) {
  // A chain as of layers: each product's input is what the one before wrote.
  const Products products;
  const int hidden = 1152, inter = 1408, vectors = 3, layers = 6;
  std::vector<std::unique_ptr<TestMatrices>> gate_up, down;
  for (int layer = 0; layer < layers; ++layer) {
    gate_up.push_back(
        std::make_unique<TestMatrices>(GetParam(), RowOrder::gate_then_up, 2 * inter, hidden, 1, random));
    down.push_back(std::make_unique<TestMatrices>(GetParam(), RowOrder::plain, hidden, inter, 1, random));
  }
  const std::vector<float> start = uniforms(random, wide(vectors) * wide(hidden), -1, 1);
  const DeviceArray<float> norm(std::vector<float>(wide(hidden), 1.0F));
  std::vector<Bf16> first_input(start.size());
  std::vector<float> first_squares(wide(vectors) * wide(square_count(hidden)), 0.0F);
  for (std::size_t i = 0; i < start.size(); ++i) {
    first_input[i] = inference::to_bf16(start[i]);
    first_squares[i / 16] += start[i] * start[i];
  }
  const auto run = [&](bool programmatic) {
    const DeviceArray<float> residual(start), squares(first_squares);
    const DeviceArray<Bf16> input(first_input), activated(wide(vectors) * wide(inter));
    cudaStream_t stream = nullptr;
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t executable = nullptr;
    EXPECT_EQ(cudaStreamCreate(&stream), cudaSuccess);
    EXPECT_EQ(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), cudaSuccess);
    const Launch launch{stream, programmatic};
    for (int layer = 0; layer < layers; ++layer) {
      products.multiply(gate_up[wide(layer)]->matrix(),
                        {input.data(), hidden, squares.data(), square_count(hidden), 1e-5F}, vectors,
                        GatedOutput{activated.data(), inter, nullptr, Activation::silu}, launch);
      products.multiply(
          down[wide(layer)]->matrix(), {activated.data(), inter, nullptr, 0, 0}, vectors,
          ResidualOutput{residual.data(), hidden, nullptr, norm.data(), input.data(), squares.data()},
          launch);
    }
    EXPECT_EQ(cudaStreamEndCapture(stream, &graph), cudaSuccess);
    EXPECT_EQ(cudaGraphInstantiate(&executable, graph, 0), cudaSuccess);
    EXPECT_EQ(cudaGraphLaunch(executable, stream), cudaSuccess);
    EXPECT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
    static_cast<void>(cudaGraphExecDestroy(executable));
    static_cast<void>(cudaGraphDestroy(graph));
    static_cast<void>(cudaStreamDestroy(stream));
    return residual.read();
  };
  const std::vector<float> plain = run(false);
  EXPECT_NE(plain, start);
  EXPECT_TRUE(std::ranges::all_of(plain, [](float value) { return std::isfinite(value); }));
  for (int repetition = 0; repetition < 20; ++repetition) EXPECT_EQ(run(true), plain);
}

TEST_P(ProductsTest, RefusesWhatItCannotHold) {
  const Products products;
  DeviceMatrix matrix{GetParam(), RowOrder::plain, 32, 4, nullptr, nullptr};
  EXPECT_THROW(check_shape(matrix), UsageError);
  matrix.columns = 128;
  EXPECT_NO_THROW(check_shape(matrix));
  const VectorInput input{nullptr, 128, nullptr, 0, 0};
  EXPECT_THROW(products.multiply(matrix, input, 9, StoreOutput{}, {}), UsageError);
  EXPECT_THROW(products.multiply(matrix, {nullptr, 64, nullptr, 0, 0}, 1, StoreOutput{}, {}), UsageError);
  EXPECT_THROW(products.multiply(matrix, input, 1, GatedOutput{}, {}), UsageError);
  matrix.order = RowOrder::gate_then_up;
  EXPECT_THROW(products.multiply(matrix, input, 1, ResidualOutput{}, {}), UsageError);
  matrix.rows = 24;
  EXPECT_THROW(check_shape(matrix), UsageError);
}

TEST(WeightMap, ReachesEveryRowOfATileOnce) {
  constexpr int kRows = 96, kExperts = 3;
  for (const RowOrder order : {RowOrder::plain, RowOrder::gate_then_up, RowOrder::gate_up_interleaved}) {
    const MapRows steps = map_rows(order, kRows);
    for (int expert = 0; expert < kExperts; ++expert) {
      for (int tile = 0; tile < kRows / kTileRows; ++tile) {
        const int first = expert * map_expert_steps(order, kRows) + map_steps(order, tile);
        for (int within = 0; within < kTileRows; ++within) {
          // A box is filled in the order of its dimensions: four pairs, the two of a pair, two halves.
          const int place = map_row(within % 8);
          const auto row = static_cast<std::uint64_t>(first + place % 4) * steps.of_pair +
                           static_cast<std::uint64_t>(place / 4) * steps.within_pair +
                           static_cast<std::uint64_t>(within / 8) * steps.of_half;
          EXPECT_EQ(row, static_cast<std::uint64_t>(expert * kRows + logical_row(order, kRows, tile, within)))
              << "order " << static_cast<int>(order) << ", tile " << tile << ", row " << within;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, ProductsTest,
                         testing::Values(WeightFormat::bf16, WeightFormat::fp8_e4m3, WeightFormat::int4_awq,
                                         WeightFormat::mxfp4),
                         [](const auto& each) { return name_of(each.param); });

}  // namespace
}  // namespace sparkmpi::kernels::inference::gpu
