#include "kernels/inference/weight_source.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>

#include "base/error.hpp"
#include "kernels/inference/host/dequantize.hpp"
#include "kernels/inference/synthetic.hpp"

namespace sparkmpi::kernels::inference {
namespace {

constexpr WeightFormat kFormats[] = {WeightFormat::bf16, WeightFormat::fp8_e4m3, WeightFormat::int4_awq,
                                     WeightFormat::mxfp4};

TEST(Synthetic, TheNumbersNeverChange) {
  const SyntheticTensor tensor(1, "model.layers.0.mlp.down_proj.weight", 1536, 1.0);
  const auto fold = [](const std::function<std::uint64_t(std::uint64_t)>& number) {
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < 1000; ++i) sum = sum * 31 + number(i);
    return sum;
  };
  // From the same definitions, computed in Python.
  EXPECT_EQ(fold([&](std::uint64_t i) { return tensor.element(i); }), 1010314559811846760ULL);
  EXPECT_EQ(fold([&](std::uint64_t i) { return tensor.fp8_code(i); }), 7066798818519868189ULL);
  EXPECT_EQ(fold([&](std::uint64_t i) { return tensor.nibble_code(i); }), 15163654051242683678ULL);
  EXPECT_EQ(fold([&](std::uint64_t i) { return std::bit_cast<std::uint32_t>(tensor.fp8_scale(i)); }),
            4543675868366828247ULL);
  EXPECT_EQ(fold([&](std::uint64_t i) { return tensor.int4_scale(i); }), 7355405593540691391ULL);
  EXPECT_EQ(fold([&](std::uint64_t i) { return tensor.int4_zero(i); }), 15550521670127790456ULL);
  EXPECT_EQ(fold([&](std::uint64_t i) { return tensor.mxfp4_scale(i); }), 4098944651563583422ULL);
}

/// Three planes of a matrix without padding.
struct Planes {
  Planes(WeightFormat format, std::size_t rows, std::size_t columns)
      : row(row_bytes(format, columns)),
        values(rows * row.values),
        scales(rows * row.scales),
        zeros(rows * row.zeros) {}
  RowBlock block() { return {values.data(), row.values, scales.data(), row.scales, zeros.data(), row.zeros}; }
  RowBytes row;
  std::vector<std::byte> values, scales, zeros;
};

PlannedTensor matrix(WeightFormat format, std::size_t rows, std::size_t columns) {
  PlannedTensor tensor;
  tensor.name = "w";
  tensor.rows = rows;
  tensor.columns = columns;
  tensor.format = format;
  tensor.fan_in = columns;
  return tensor;
}

std::vector<float> floats_of(WeightFormat format, Planes& planes, std::size_t rows, std::size_t columns) {
  std::vector<float> values(rows * columns);
  if (format == WeightFormat::bf16) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      Bf16 value = 0;
      std::memcpy(&value, planes.values.data() + 2 * i, 2);
      values[i] = to_float(value);
    }
  } else {
    dequantize(
        {format, planes.values.data(), planes.scales.data(), planes.zeros.data(), planes.row, rows, columns},
        values.data());
  }
  return values;
}

TEST(Synthetic, EveryFormatHasTheSameVariance) {
  constexpr std::size_t kRows = 512, kColumns = 512;
  for (const WeightFormat format : kFormats) {
    PlannedTensor tensor = matrix(format, kRows, kColumns);
    tensor.gain = 0.37;
    Planes planes(format, kRows, kColumns);
    synthetic_weights(5)->read(tensor, {0, kRows, 0, kColumns}, planes.block());
    double sum = 0, squares = 0;
    for (const float value : floats_of(format, planes, kRows, kColumns)) {
      sum += value;
      squares += static_cast<double>(value) * value;
    }
    const double expected = 0.37 * 0.37 / kColumns, count = kRows * kColumns;
    EXPECT_NEAR(squares / count, expected, 0.015 * expected) << to_string(format);
    EXPECT_NEAR(sum / count, 0, 0.01 * std::sqrt(expected)) << to_string(format);
  }
}

TEST(Synthetic, PartsAreTheirPlacesOfTheWhole) {
  constexpr std::size_t kRows = 7, kColumns = 768, kFirst = 256, kWidth = 512;
  for (const WeightFormat format : kFormats) {
    const PlannedTensor tensor = matrix(format, kRows, kColumns);
    Planes whole(format, kRows, kColumns), part(format, 2, kWidth);
    const auto source = synthetic_weights(9);
    source->read(tensor, {0, kRows, 0, kColumns}, whole.block());
    source->read(tensor, {3, 2, kFirst, kWidth}, part.block());
    const std::vector<float> all = floats_of(format, whole, kRows, kColumns),
                             some = floats_of(format, part, 2, kWidth);
    for (std::size_t r = 0; r < 2; ++r) {
      for (std::size_t c = 0; c < kWidth; ++c)
        ASSERT_EQ(some[r * kWidth + c], all[(3 + r) * kColumns + kFirst + c])
            << to_string(format) << ' ' << r << ',' << c;
    }
  }
}

TEST(Synthetic, WordsHoldTheElements) {
  const PlannedTensor fp8 = matrix(WeightFormat::fp8_e4m3, 3, 37);  // rows that begin within a word
  Planes planes(fp8.format, 3, 37);
  synthetic_weights(2)->read(fp8, {0, 3, 0, 37}, planes.block());
  const SyntheticTensor numbers(2, fp8.name, 37, 1);
  for (std::size_t i = 0; i < 3 * 37; ++i) EXPECT_EQ(planes.values[i], std::byte{numbers.fp8_code(i)}) << i;
}

TEST(WeightDirectory, PartsOfEveryFormatAreTheirPlacesOfTheWhole) {
  for (const char* name :
       {"llama-awq", "gpt-oss-mxfp4", "gpt-oss", "mixtral-fp8", "qwen2-fp8-rows", "phi3-window"}) {
    const std::string directory = std::string(SPARKMPI_FIXTURES) + "/hf/" + name;
    const auto source = open_weights(directory);
    const std::vector<PlannedTensor> plan = tensor_plan(read_model_config(directory));
    source->check(plan);
    for (const PlannedTensor& tensor : plan) {
      if (tensor.role != TensorRole::down && tensor.role != TensorRole::up) continue;
      const std::size_t step = std::max<std::size_t>(2, 2 * group_columns(tensor.format));
      if (tensor.columns <= step) continue;
      Planes whole(tensor.format, tensor.rows, tensor.columns);
      source->read(tensor, {0, tensor.rows, 0, tensor.columns}, whole.block());
      const std::size_t width = tensor.columns - step;
      if (tensor.format == WeightFormat::int4_awq && width % step != 0) continue;
      Planes part(tensor.format, 3, width);
      source->read(tensor, {5, 3, step, width}, part.block());
      const std::vector<float> all = floats_of(tensor.format, whole, tensor.rows, tensor.columns),
                               some = floats_of(tensor.format, part, 3, width);
      for (std::size_t r = 0; r < 3; ++r) {
        for (std::size_t c = 0; c < width; ++c)
          ASSERT_EQ(some[r * width + c], all[(5 + r) * tensor.columns + step + c])
              << name << ' ' << tensor.name;
      }
    }
  }
}

TEST(WeightDirectory, ATensorOfAnotherFormatIsSaid) {
  const std::string fixtures = std::string(SPARKMPI_FIXTURES) + "/hf/";
  const auto message = [&](const std::string& name, WeightFormat format) -> std::string {
    ModelConfig config = read_model_config(fixtures + name);
    config.attention_format = config.mlp_format = format;
    try {
      open_weights(fixtures + name)->check(tensor_plan(config));
    } catch (const UsageError& error) {
      return error.what();
    }
    return {};
  };
  EXPECT_NE(message("qwen2-fp8-rows", WeightFormat::bf16).find("F8_E4M3"), std::string::npos);
  EXPECT_NE(message("llama-gqa-tied", WeightFormat::fp8_e4m3).find("BF16"), std::string::npos);
  EXPECT_NE(message("llama-awq", WeightFormat::bf16).find("q_proj.weight' is missing"), std::string::npos);
}

}  // namespace
}  // namespace sparkmpi::kernels::inference
