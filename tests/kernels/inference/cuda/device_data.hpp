#pragma once
// Data for tests of the GPU's products: arrays on the device, and random matrices with their exact values.

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "kernels/inference/bf16.hpp"
#include "kernels/inference/cuda/linear/products.hpp"
#include "kernels/inference/weight_format.hpp"

namespace sparkmpi::kernels::inference::gpu {

inline std::size_t wide(int value) {
  return static_cast<std::size_t>(value);
}

/// An array on the device, filled from the host or with bytes 0xff: NaN, so that what was not written shows.
template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(std::size_t count) : count_(count) {
    EXPECT_EQ(cudaMalloc(reinterpret_cast<void**>(&data_), count * sizeof(T)), cudaSuccess);
    EXPECT_EQ(cudaMemset(data_, 0xff, count * sizeof(T)), cudaSuccess);
  }
  explicit DeviceArray(const std::vector<T>& values) : DeviceArray(values.size()) {
    EXPECT_EQ(cudaMemcpy(data_, values.data(), count_ * sizeof(T), cudaMemcpyHostToDevice), cudaSuccess);
  }
  ~DeviceArray() { static_cast<void>(cudaFree(data_)); }
  DeviceArray(const DeviceArray&) = delete;             ///< owns memory
  DeviceArray& operator=(const DeviceArray&) = delete;  ///< owns memory

  T* data() const { return data_; }
  std::vector<T> read() const {
    std::vector<T> values(count_);
    EXPECT_EQ(cudaMemcpy(values.data(), data_, count_ * sizeof(T), cudaMemcpyDeviceToHost), cudaSuccess);
    return values;
  }

 private:
  T* data_ = nullptr;
  std::size_t count_;
};

using Random = std::mt19937;
inline float uniform(Random& random, float low, float high) {
  return std::uniform_real_distribution<float>(low, high)(random);
}
inline std::vector<float> uniforms(Random& random, std::size_t count, float low, float high) {
  std::vector<float> values(count);
  for (float& value : values) value = uniform(random, low, high);
  return values;
}

/// One or more (experts) random matrices of a format, on the device as the products read them, and their
/// values.
class TestMatrices {
 public:
  TestMatrices(WeightFormat format, RowOrder order, int rows, int columns, int experts, Random& random)
      : values(wide(experts) * wide(rows) * wide(columns)),
        stack_{{format, order, rows, columns, nullptr, nullptr}, experts},
        data_(data_bytes(stack_.first) * wide(experts)),
        scales_(wide(rows) * wide(experts)) {
    stack_.first.data = data_.data();
    if (format == WeightFormat::fp8_e4m3) stack_.first.scales = scales_.data();
    // In two runs of rows, as an engine packs Q, K and V: the border is at no tile's begin.
    const int border = rows / 3;
    for (int e = 0; e < experts; ++e) {
      if (border > 0) pack(e, 0, border, random);
      pack(e, border, rows - border, random);
    }
  }

  const DeviceMatrix& matrix() const { return stack_.first; }
  const ExpertMatrices& experts() const { return stack_; }
  const double* row(int expert, int index) const {
    return values.data() + (wide(expert) * wide(matrix().rows) + wide(index)) * wide(matrix().columns);
  }

  std::vector<double> values;  ///< [experts, rows, columns]

 private:
  void pack(int expert_index, int first, int rows, Random& random) {
    const DeviceMatrix matrix = expert(stack_, expert_index);
    const std::size_t columns = wide(matrix.columns);
    const RowBytes bytes = row_bytes(matrix.format, columns);
    std::vector<std::uint8_t> codes(bytes.values * wide(rows)), scales(bytes.scales * wide(rows) + 1),
        zeros(bytes.zeros * wide(rows) + 1);
    for (auto& byte : codes) byte = static_cast<std::uint8_t>(random());
    for (auto& byte : zeros) byte = static_cast<std::uint8_t>(random());
    for (int r = 0; r < rows; ++r) {
      std::uint8_t* const code = codes.data() + wide(r) * bytes.values;
      std::uint8_t* const scale = scales.data() + wide(r) * bytes.scales;
      const std::uint8_t* const zero = zeros.data() + wide(r) * bytes.zeros;
      fill_scales(matrix.format, code, scale, columns, random);
      double* const out =
          values.data() + (wide(expert_index) * wide(matrix.rows) + wide(first + r)) * columns;
      for (std::size_t c = 0; c < columns; ++c) out[c] = value(matrix.format, code, scale, zero, c);
    }
    const DeviceArray<std::uint8_t> device_codes(codes), device_scales(scales), device_zeros(zeros);
    repack(matrix, first, rows, {device_codes.data(), device_scales.data(), device_zeros.data()}, nullptr);
    EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  }

  static void fill_scales(WeightFormat format, std::uint8_t* code, std::uint8_t* scale, std::size_t columns,
                          Random& random) {
    switch (format) {
      case WeightFormat::bf16:
        for (std::size_t c = 0; c < columns; ++c) {
          const Bf16 element = inference::to_bf16(uniform(random, -1, 1));
          std::memcpy(code + 2 * c, &element, 2);
        }
        return;
      case WeightFormat::fp8_e4m3: {
        for (std::size_t c = 0; c < columns; ++c) {
          if ((code[c] & 0x7fU) == 0x7fU) code[c] = 0x01;  // no NaN; the least subnormal number instead
        }
        const float row = uniform(random, 0.001F, 0.004F);
        std::memcpy(scale, &row, sizeof row);
        return;
      }
      case WeightFormat::int4_awq:
        for (std::size_t group = 0; group < columns / 128; ++group) {
          const auto half = static_cast<std::uint16_t>(0x2c00U + (random() & 0x7ffU));  // 1/16 to 1/4
          std::memcpy(scale + 2 * group, &half, 2);
        }
        return;
      case WeightFormat::mxfp4:
        for (std::size_t group = 0; group < columns / 32; ++group)
          scale[group] = static_cast<std::uint8_t>(122U + random() % 8U);
        return;
    }
  }

  static double value(WeightFormat format, const std::uint8_t* code, const std::uint8_t* scale,
                      const std::uint8_t* zero, std::size_t column) {
    switch (format) {
      case WeightFormat::bf16: {
        Bf16 element = 0;
        std::memcpy(&element, code + 2 * column, 2);
        return static_cast<double>(to_float(element));
      }
      case WeightFormat::fp8_e4m3: {
        float row = 0;
        std::memcpy(&row, scale, sizeof row);
        return static_cast<double>(e4m3_to_float(code[column])) * static_cast<double>(row);
      }
      case WeightFormat::int4_awq: {
        std::uint16_t half = 0;
        std::memcpy(&half, scale + column / 128 * 2, 2);
        return (nibble(code, column) - nibble(zero, column / 128)) * static_cast<double>(half_to_float(half));
      }
      case WeightFormat::mxfp4:
        return static_cast<double>(e2m1_to_float(nibble(code, column))) *
               static_cast<double>(e8m0_to_float(scale[column / 32]));
    }
    return 0;
  }

  ExpertMatrices stack_;
  DeviceArray<std::uint8_t> data_;
  DeviceArray<float> scales_;
};

/// Random BF16 vectors [count, stride], and, when normalised, the partial sums that make their norm factor.
class TestVectors {
 public:
  TestVectors(int count, int columns, int stride, bool normalised, Random& random)
      : host(wide(count) * wide(stride)), factor(wide(count), 1.0) {
    for (auto& element : host) element = inference::to_bf16(uniform(random, -1, 1));
    device_.emplace_back(std::make_unique<DeviceArray<Bf16>>(host));
    input = {device_.back()->data(), stride, nullptr, 0, 0};
    if (!normalised) return;
    input.square_count = square_count(columns);
    input.eps = 1e-5F;
    const std::vector<float> squares = uniforms(random, wide(count) * wide(input.square_count), 1, 9);
    squares_.emplace_back(std::make_unique<DeviceArray<float>>(squares));
    input.squares = squares_.back()->data();
    for (std::size_t v = 0; v < wide(count); ++v) {
      double sum = 0;
      for (std::size_t i = 0; i < wide(input.square_count); ++i)
        sum += static_cast<double>(squares[v * wide(input.square_count) + i]);
      factor[v] = 1 / std::sqrt(sum / columns + static_cast<double>(input.eps));
    }
  }

  /// Σ row·vector·factor, and in `size` the sum of the terms' magnitudes.
  double product(const double* row, int columns, int vector, double& size) const {
    const Bf16* const x = host.data() + wide(vector) * wide(input.stride);
    double sum = 0;
    size = 0;
    for (std::size_t c = 0; c < wide(columns); ++c) {
      const double term = row[c] * static_cast<double>(to_float(x[c])) * factor[wide(vector)];
      sum += term;
      size += std::abs(term);
    }
    return sum;
  }

  std::vector<Bf16> host;
  std::vector<double> factor;
  VectorInput input;

 private:
  std::vector<std::unique_ptr<DeviceArray<Bf16>>> device_;
  std::vector<std::unique_ptr<DeviceArray<float>>> squares_;
};

inline double activated(Activation activation, double gate, double up) {
  switch (activation) {
    case Activation::silu:
      return gate / (1 + std::exp(-gate)) * up;
    case Activation::gelu_tanh:
      return 0.5 * gate *
             (1 + std::tanh(std::sqrt(2 / 3.14159265358979323846) * (gate + 0.044715 * gate * gate * gate))) *
             up;
    case Activation::clamped_swiglu: {
      const double bounded = std::min(gate, 7.0);
      return bounded / (1 + std::exp(-1.702 * bounded)) * (std::clamp(up, -7.0, 7.0) + 1);
    }
  }
  return 0;
}

/// Gate and up rows of output i.
inline std::pair<int, int> gate_and_up(const DeviceMatrix& matrix, int i) {
  return matrix.order == RowOrder::gate_then_up ? std::pair(i, matrix.rows / 2 + i)
                                                : std::pair(2 * i, 2 * i + 1);
}

/// Single precision accumulated in some order, against terms of total magnitude `size`.
inline double accumulation_error(double size) {
  return 1e-5 * size + 1e-6;
}

inline std::string name_of(WeightFormat format) {
  return std::string(to_string(format));
}

class GpuTest : public ::testing::TestWithParam<WeightFormat> {
 protected:
  void SetUp() override {
    int count = 0;
    if (cudaGetDeviceCount(&count) != cudaSuccess || count == 0) GTEST_SKIP() << "no CUDA device";
  }
  Random random{20240607};  // NOLINT(cert-msc51-cpp): the same data every time
};

}  // namespace sparkmpi::kernels::inference::gpu
