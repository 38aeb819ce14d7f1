#pragma once
// Rows and elements of tensors as files store them.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/inference/bf16.hpp"
#include "kernels/inference/safetensors.hpp"

namespace sparkmpi::kernels::inference {

using Tensor = SafetensorsDirectory::Tensor;

/// Rows that are read at once where some of a stretch of the file is wanted.
inline constexpr std::size_t kStretch = std::size_t{1} << 20;
/// Shorter rows cost more to ask for one by one than the gaps between them.
inline constexpr std::size_t kLongRow = 4096;

/// Elements in files need not be aligned.
template <class T>
T element(const std::byte* from, std::size_t index) {
  T value;
  std::memcpy(&value, from + index * sizeof(T), sizeof(T));
  return value;
}

inline float as_float(DType type, const std::byte* from, std::size_t index) {
  switch (type) {
    case DType::bf16:
      return to_float(element<Bf16>(from, index));
    case DType::f16:
      return half_to_float(element<std::uint16_t>(from, index));
    default:
      return element<float>(from, index);
  }
}

inline Bf16 as_bf16(DType type, const std::byte* from, std::size_t index) {
  return type == DType::bf16 ? element<Bf16>(from, index) : to_bf16(as_float(type, from, index));
}

inline std::size_t float_bytes(const Tensor& tensor) {
  return tensor.info.dtype == DType::f32 ? 4 : 2;
}

/// Rows of the same length somewhere in a tensor, in bytes.
struct StoredRows {
  std::size_t first, bytes, step, count;
};

/// Calls use(row, its bytes) for each, in order.
template <class Use>
void for_rows(const Tensor& tensor, const StoredRows& rows, Use use) {
  const WeightFile& file = *tensor.file;
  host::BufferPool::Lease buffer(file.pool());
  // Past the page cache a gap costs less than another read.
  const bool one_by_one =
      file.mode() == LoadMode::cached && rows.bytes >= kLongRow && rows.step > 2 * rows.bytes;
  const std::size_t most = one_by_one ? 1 : std::max<std::size_t>(1, kStretch / rows.step);
  for (std::size_t row = 0; row < rows.count; row += most) {
    const std::size_t count = std::min(most, rows.count - row);
    const auto stretch = file.view(tensor.info.begin + rows.first + row * rows.step,
                                   (count - 1) * rows.step + rows.bytes, buffer);
    for (std::size_t r = 0; r < count; ++r) use(row + r, stretch.data() + r * rows.step);
  }
}

/// Bytes as they are stored.
inline void copy_rows(const Tensor& tensor, const StoredRows& rows, std::byte* to, std::size_t stride) {
  if (rows.bytes == rows.step && rows.bytes == stride)
    return tensor.file->read(tensor.info.begin + rows.first, {to, rows.count * rows.bytes});
  for_rows(tensor, rows,
           [&](std::size_t row, const std::byte* from) { std::memcpy(to + row * stride, from, rows.bytes); });
}

}  // namespace sparkmpi::kernels::inference
