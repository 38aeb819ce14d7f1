// Compiled with -march=armv8.2-a+sve and called only where the processor has it: vectors as long as the core
// makes them.
#include <arm_sve.h>

#include "kernels/inference/host/math_quantized.hpp"

namespace sparkmpi::kernels::inference {
namespace {

// Packed blocks must divide the 32 columns that rows are padded to: vectors up to 512 bits. Longer ones use
// their first 512.
std::size_t lanes() {
  return std::min<std::size_t>(svcntw(), 16);
}

void pack(const float* x, std::size_t columns, std::size_t padded, float* packed) {
  const std::size_t width = lanes();
  for (std::size_t block = 0; block < padded; block += 2 * width) {
    for (std::size_t i = 0; i < width; ++i) {
      const std::size_t first = block + 2 * i;
      packed[block + i] = first < columns ? x[first] : 0;
      packed[block + width + i] = first + 1 < columns ? x[first + 1] : 0;
    }
  }
}

float row_times(const Bf16* row, std::size_t stride, const float* packed) {
  const std::size_t width = lanes();
  const svbool_t all = svwhilelt_b32_u64(0, width);
  svfloat32_t evens = svdup_n_f32(0), odds = svdup_n_f32(0);
  for (std::size_t column = 0; column < stride; column += 2 * width) {
    const svuint32_t pairs = svld1_u32(all, reinterpret_cast<const std::uint32_t*>(row + column));
    evens = svmla_f32_m(all, evens, svreinterpret_f32_u32(svlsl_n_u32_x(all, pairs, 16)),
                        svld1_f32(all, packed + column));
    odds = svmla_f32_m(all, odds, svreinterpret_f32_u32(svand_n_u32_x(all, pairs, 0xffff0000U)),
                       svld1_f32(all, packed + column + width));
  }
  return svaddv_f32(all, svadd_f32_x(all, evens, odds));
}

void matvec(const Bf16* matrix, std::size_t rows, std::size_t stride, const float* packed,
            std::size_t vectors, float* y, std::size_t y_stride) {
  // A row stays in the first-level cache while the vectors take turns: it is read from memory once.
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t v = 0; v < vectors; ++v)
      y[v * y_stride + row] = row_times(matrix + row * stride, stride, packed + v * stride);
  }
}

}  // namespace

MathOps math_ops_sve() {
  MathOps ops = math_ops_of<4>(host::Simd::sve);
  ops.pack = pack;
  ops.matvec = matvec;
  return ops;
}

}  // namespace sparkmpi::kernels::inference
