#include "kernels/inference/weight_source.hpp"

#include <bit>
#include <cstring>

#include "kernels/inference/synthetic.hpp"

namespace sparkmpi::kernels::inference {
namespace {

static_assert(std::endian::native == std::endian::little, "words are stored as bytes from the lowest up");

void put_half(std::byte* to, std::size_t index, std::uint16_t value) {
  std::memcpy(to + 2 * index, &value, sizeof value);
}

class SeedSource final : public WeightSource {
 public:
  explicit SeedSource(std::uint64_t seed) : seed_(seed) {}

  void check(std::span<const PlannedTensor>) const override {}

  void read(const PlannedTensor& tensor, const MatrixPart& part, const RowBlock& to) const override {
    const SyntheticTensor numbers(seed_, tensor.name, tensor.fan_in, tensor.gain);
    for (std::size_t r = 0; r < part.rows; ++r) {
      const std::size_t row = part.first_row + r;
      const RowBlock one{to.values + r * to.values_stride, 0, to.scales + r * to.scales_stride, 0,
                         to.zeros + r * to.zeros_stride,   0};
      values(numbers, tensor, row, part, one.values);
      scales(numbers, tensor, row, part, one);
    }
  }

  std::vector<float> read_vector(const PlannedTensor& tensor) const override {
    if (tensor.constant) return std::vector<float>(tensor.rows, *tensor.constant);
    const SyntheticTensor numbers(seed_, tensor.name, tensor.fan_in, tensor.gain);
    std::vector<float> values;
    for (std::size_t i = 0; i < tensor.rows; ++i) values.push_back(to_float(numbers.element(i)));
    return values;
  }

 private:
  static void values(const SyntheticTensor& numbers, const PlannedTensor& tensor, std::size_t row,
                     const MatrixPart& part, std::byte* to) {
    const std::uint64_t first = static_cast<std::uint64_t>(row) * tensor.columns + part.first_column;
    switch (tensor.format) {
      case WeightFormat::bf16:
        for (std::size_t c = 0; c < part.columns; ++c) put_half(to, c, numbers.element(first + c));
        return;
      case WeightFormat::fp8_e4m3: {
        std::size_t c = 0;
        for (; c < part.columns && (first + c) % 8 != 0; ++c) to[c] = std::byte{numbers.fp8_code(first + c)};
        for (; c + 8 <= part.columns; c += 8) {
          const std::uint64_t codes = numbers.fp8_codes((first + c) / 8);
          std::memcpy(to + c, &codes, sizeof codes);
        }
        for (; c < part.columns; ++c) to[c] = std::byte{numbers.fp8_code(first + c)};
        return;
      }
      case WeightFormat::int4_awq:
      case WeightFormat::mxfp4:
        for (std::size_t c = 0; c < part.columns; c += 16) {
          const std::uint64_t codes = numbers.nibbles((first + c) / 16);
          std::memcpy(to + c / 2, &codes, sizeof codes);
        }
        return;
    }
  }

  static void scales(const SyntheticTensor& numbers, const PlannedTensor& tensor, std::size_t row,
                     const MatrixPart& part, const RowBlock& to) {
    if (tensor.format == WeightFormat::fp8_e4m3) {
      const float scale = numbers.fp8_scale(row);
      std::memcpy(to.scales, &scale, sizeof scale);
    }
    const std::size_t width = group_columns(tensor.format);
    if (width == 0) return;
    const std::uint64_t first =
        (static_cast<std::uint64_t>(row) * tensor.columns + part.first_column) / width;
    const std::size_t groups = part.columns / width;
    if (tensor.format == WeightFormat::mxfp4) {
      for (std::size_t g = 0; g < groups; ++g) to.scales[g] = std::byte{numbers.mxfp4_scale(first + g)};
      return;
    }
    std::memset(to.zeros, 0, (groups + 1) / 2);
    for (std::size_t g = 0; g < groups; ++g) {
      put_half(to.scales, g, numbers.int4_scale(first + g));
      to.zeros[g / 2] |= std::byte{numbers.int4_zero(first + g)} << (4 * (g % 2));
    }
  }

  std::uint64_t seed_;
};

}  // namespace

std::unique_ptr<WeightSource> synthetic_weights(std::uint64_t seed) {
  return std::make_unique<SeedSource>(seed);
}

}  // namespace sparkmpi::kernels::inference
