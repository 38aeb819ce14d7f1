// Weights out of a Hugging Face directory, brought into the layouts of weight_format.hpp.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/error.hpp"
#include "kernels/inference/staged_tensor.hpp"
#include "kernels/inference/stored_rows.hpp"
#include "kernels/inference/weight_source.hpp"

namespace sparkmpi::kernels::inference {
namespace {

using Shape = std::vector<std::uint64_t>;

/// Transposed matrices are gone through in tiles of so many rows: their lines stay in the first-level cache.
constexpr std::size_t kTileRows = 128;
/// Which nibble of an AWQ word holds row r of its eight: the inverse of [0, 2, 4, 6, 1, 3, 5, 7].
constexpr std::array<unsigned, 8> kAwqNibble = {0, 4, 1, 5, 2, 6, 3, 7};

/// A name without its last word, to which quantised tensors' words are added.
std::string stem(const std::string& name) {
  constexpr std::string_view kWord = ".weight";
  return name.ends_with(kWord) ? name.substr(0, name.size() - kWord.size()) : name;
}

/// The tensor by which one sees that a source is there.
std::string main_name(const TensorSource& source, WeightFormat format) {
  switch (format) {
    case WeightFormat::int4_awq:
      return stem(source.name) + ".qweight";
    case WeightFormat::mxfp4:
      return stem(source.name) + "_blocks";
    default:
      return source.name;
  }
}

class DirectorySource final : public WeightSource {
 public:
  DirectorySource(const std::filesystem::path& directory, LoadMode mode) : tensors_(directory, mode) {}

  void check(std::span<const PlannedTensor> plan) const override {
    for (const PlannedTensor& tensor : plan) check(tensor, source_of(tensor));
  }

  std::vector<float> read_vector(const PlannedTensor& tensor) const override {
    const TensorSource& source = source_of(tensor);
    const Tensor& stored = tensors_.at(source.name);
    const std::size_t bytes = float_bytes(stored);
    std::vector<float> values(tensor.rows);
    for_rows(stored,
             {(outer(source) + source.first_row) * bytes, bytes, source.row_step * bytes, tensor.rows},
             [&](std::size_t row, const std::byte* from) {
               values[row] = to_float(as_bf16(stored.info.dtype, from, 0));
             });
    return values;
  }

  void read(const PlannedTensor& tensor, const MatrixPart& part, const RowBlock& to) const override {
    const TensorSource& source = source_of(tensor);
    switch (tensor.format) {
      case WeightFormat::bf16:
        return source.transposed ? read_transposed(tensor, source, part, to)
                                 : read_bf16(tensor, source, part, to);
      case WeightFormat::fp8_e4m3:
        return read_fp8(tensor, source, part, to);
      case WeightFormat::int4_awq:
        return read_awq(source, part, to);
      case WeightFormat::mxfp4:
        return read_mxfp4(tensor, source, part, to);
    }
  }

 private:
  /// Rows before those of its expert.
  static std::size_t outer(const TensorSource& source) {
    return source.expert < 0 ? 0 : static_cast<std::size_t>(source.expert) * source.rows;
  }
  static std::size_t stored_row(const TensorSource& source, std::size_t row) {
    return source.first_row + row * source.row_step;
  }

  const TensorSource& source_of(const PlannedTensor& tensor) const {
    for (const TensorSource& source : tensor.sources) {
      if (tensors_.has(main_name(source, tensor.format))) return source;
    }
    return tensor.sources.front();
  }

  void expect(const std::string& name, const std::vector<Shape>& shapes, std::initializer_list<DType> types,
              std::string_view type_names) const {
    const Tensor& tensor = tensors_.at(name);
    if (std::ranges::find(shapes, tensor.info.shape) == shapes.end()) {
      throw UsageError(fmt::format("{}: tensor '{}' has the shape [{}], config.json makes it [{}]",
                                   tensor.file->path().native(), name, fmt::join(tensor.info.shape, ", "),
                                   fmt::join(shapes.front(), ", ")));
    }
    if (std::ranges::find(types, tensor.info.dtype) == types.end()) {
      throw UsageError(fmt::format("{}: tensor '{}' is of type {}; this engine reads {} here",
                                   tensor.file->path().native(), name, tensor.info.dtype_name, type_names));
    }
  }

  void check(const PlannedTensor& tensor, const TensorSource& source) const {
    const auto shape = [&](Shape inner) {
      if (source.expert >= 0) inner.insert(inner.begin(), static_cast<std::uint64_t>(source.experts));
      return std::vector<Shape>{inner};
    };
    const std::uint64_t rows = source.rows, columns = tensor.columns;
    const auto floats = {DType::bf16, DType::f16, DType::f32};
    constexpr std::string_view kFloats = "BF16, F16 and F32";
    const std::string base = stem(source.name);
    if (tensor.is_vector()) {
      expect(source.name, shape({rows}), floats, kFloats);
      return;
    }
    switch (tensor.format) {
      case WeightFormat::bf16:
        expect(source.name, shape(source.transposed ? Shape{columns, rows} : Shape{rows, columns}), floats,
               kFloats);
        return;
      case WeightFormat::fp8_e4m3:
        expect(source.name, shape({rows, columns}), {DType::f8_e4m3}, "F8_E4M3");
        if (source.expert >= 0)
          throw UsageError(fmt::format(
              "tensor '{}' holds all experts; this engine reads FP8 experts one by one", source.name));
        expect(source.name + "_scale", {{rows, 1}, {rows}, {1}, {}}, floats, kFloats);
        return;
      case WeightFormat::int4_awq: {
        if (rows % 8 != 0)
          throw UsageError(
              fmt::format("tensor '{}' has {} rows; AWQ packs 8 into a word", source.name, rows));
        const std::uint64_t groups = columns / group_columns(tensor.format);
        expect(base + ".qweight", {{columns, rows / 8}}, {DType::i32}, "I32");
        expect(base + ".qzeros", {{groups, rows / 8}}, {DType::i32}, "I32");
        expect(base + ".scales", {{groups, rows}}, {DType::f16}, "F16");
        return;
      }
      case WeightFormat::mxfp4:
        expect(base + "_blocks", shape({rows, columns / 32, 16}), {DType::u8}, "U8");
        expect(base + "_scales", shape({rows, columns / 32}), {DType::u8}, "U8");
        return;
    }
  }

  /// A part of a matrix that is stored row by row. @param row, before, bytes of a stored row, of it in front
  /// of the part, and in the part.
  static StoredRows rows_of(const TensorSource& source, const MatrixPart& part, std::size_t row,
                            std::size_t before, std::size_t bytes) {
    return {(outer(source) + stored_row(source, part.first_row)) * row + before, bytes, source.row_step * row,
            part.rows};
  }

  void read_bf16(const PlannedTensor& tensor, const TensorSource& source, const MatrixPart& part,
                 const RowBlock& to) const {
    const Tensor& stored = tensors_.at(source.name);
    const std::size_t bytes = float_bytes(stored);
    const StoredRows rows =
        rows_of(source, part, tensor.columns * bytes, part.first_column * bytes, part.columns * bytes);
    if (stored.info.dtype == DType::bf16) return copy_rows(stored, rows, to.values, to.values_stride);
    for_rows(stored, rows, [&](std::size_t row, const std::byte* from) {
      for (std::size_t c = 0; c < part.columns; ++c) {
        const Bf16 value = as_bf16(stored.info.dtype, from, c);
        std::memcpy(to.values + row * to.values_stride + 2 * c, &value, sizeof value);
      }
    });
  }

  void read_transposed(const PlannedTensor& tensor, const TensorSource& source, const MatrixPart& part,
                       const RowBlock& to) const {
    const Tensor& stored = tensors_.at(source.name);
    const std::size_t expert = source.expert < 0 ? 0 : static_cast<std::size_t>(source.expert),
                      bytes = tensor.columns * source.rows * float_bytes(stored);
    const auto staged = staged_.at(*stored.file, stored.info.begin + expert * bytes, bytes);
    const std::byte* const from = staged->bytes().data();
    for (std::size_t tile = 0; tile < part.rows; tile += kTileRows) {
      const std::size_t end = std::min(part.rows, tile + kTileRows);
      for (std::size_t c = 0; c < part.columns; ++c) {
        const std::size_t line = (part.first_column + c) * source.rows;
        for (std::size_t r = tile; r < end; ++r) {
          const Bf16 value = as_bf16(stored.info.dtype, from, line + stored_row(source, part.first_row + r));
          std::memcpy(to.values + r * to.values_stride + 2 * c, &value, sizeof value);
        }
      }
    }
  }

  void read_fp8(const PlannedTensor& tensor, const TensorSource& source, const MatrixPart& part,
                const RowBlock& to) const {
    const Tensor &stored = tensors_.at(source.name), &scales = tensors_.at(source.name + "_scale");
    copy_rows(stored, rows_of(source, part, tensor.columns, part.first_column, part.columns), to.values,
              to.values_stride);
    const std::size_t bytes = float_bytes(scales);
    const bool one_scale = scales.info.end - scales.info.begin == bytes;
    const StoredRows rows = one_scale ? StoredRows{0, bytes, bytes, 1}
                                      : StoredRows{stored_row(source, part.first_row) * bytes, bytes,
                                                   source.row_step * bytes, part.rows};
    for_rows(scales, rows, [&](std::size_t row, const std::byte* from) {
      const float scale = as_float(scales.info.dtype, from, 0);
      for (std::size_t r = row; r < (one_scale ? part.rows : row + 1); ++r)
        std::memcpy(to.scales + r * to.scales_stride, &scale, sizeof scale);
    });
  }

  std::shared_ptr<StagedTensor> staged(const std::string& name) const {
    const Tensor& tensor = tensors_.at(name);
    return staged_.at(*tensor.file, tensor.info.begin, tensor.info.end - tensor.info.begin);
  }

  void read_awq(const TensorSource& source, const MatrixPart& part, const RowBlock& to) const {
    const std::string base = stem(source.name);
    const auto all_codes = staged(base + ".qweight"), all_zeros = staged(base + ".qzeros"),
               all_scales = staged(base + ".scales");
    const std::byte *const codes = all_codes->bytes().data(), *const zeros = all_zeros->bytes().data(),
                           *const scales = all_scales->bytes().data();
    const std::size_t words = source.rows / 8, group = group_columns(WeightFormat::int4_awq);
    const auto code = [&](const std::byte* packed, std::size_t line, std::size_t row) {
      const auto word = element<std::uint32_t>(packed, line * words + row / 8);
      return static_cast<std::uint8_t>((word >> (4 * kAwqNibble[row % 8])) & 0xfU);
    };
    for (std::size_t tile = 0; tile < part.rows; tile += kTileRows) {
      const std::size_t end = std::min(part.rows, tile + kTileRows);
      for (std::size_t c = 0; c < part.columns; c += 2) {
        for (std::size_t r = tile; r < end; ++r) {
          const std::size_t row = stored_row(source, part.first_row + r), line = part.first_column + c;
          to.values[r * to.values_stride + c / 2] =
              std::byte{code(codes, line, row)} | std::byte{code(codes, line + 1, row)} << 4;
        }
      }
    }
    const std::size_t first_group = part.first_column / group, groups = part.columns / group;
    for (std::size_t r = 0; r < part.rows; ++r) {
      const std::size_t row = stored_row(source, part.first_row + r);
      std::byte* const zero = to.zeros + r * to.zeros_stride;
      std::memset(zero, 0, (groups + 1) / 2);
      for (std::size_t g = 0; g < groups; ++g) {
        zero[g / 2] |= std::byte{code(zeros, first_group + g, row)} << (4 * (g % 2));
        std::memcpy(to.scales + r * to.scales_stride + 2 * g,
                    scales + ((first_group + g) * source.rows + row) * 2, 2);
      }
    }
  }

  void read_mxfp4(const PlannedTensor& tensor, const TensorSource& source, const MatrixPart& part,
                  const RowBlock& to) const {
    const std::string base = stem(source.name);
    const auto copy = [&](const Tensor& stored, std::size_t in_byte, std::byte* values, std::size_t stride) {
      copy_rows(stored,
                rows_of(source, part, tensor.columns / in_byte, part.first_column / in_byte,
                        part.columns / in_byte),
                values, stride);
    };
    copy(tensors_.at(base + "_blocks"), 2, to.values, to.values_stride);
    copy(tensors_.at(base + "_scales"), group_columns(WeightFormat::mxfp4), to.scales, to.scales_stride);
  }

  SafetensorsDirectory tensors_;
  mutable StagedTensors staged_;  ///< a cache
};

}  // namespace

std::unique_ptr<WeightSource> open_weights(const std::filesystem::path& directory, LoadMode mode) {
  return std::make_unique<DirectorySource>(directory, mode);
}

}  // namespace sparkmpi::kernels::inference
