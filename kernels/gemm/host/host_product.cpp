#include "kernels/gemm/host/host_product.hpp"

#include <cblas.h>

#include <cmath>
#include <numbers>

namespace sparkmpi::kernels::gemm {
namespace {

std::size_t elements(std::int64_t rows, std::int64_t columns) {
  return static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
}

/// Normally distributed (Box and Muller 1958), a function of the index alone.
float normal(std::uint64_t index, std::uint64_t seed) {
  const std::uint64_t bits = mixed(index + (seed << 48U));
  const double radius = (static_cast<double>(bits >> 40U) + 0.5) * std::exp2(-24);
  const double angle = static_cast<double>(bits & 0xffffffU) * std::exp2(-24);
  return static_cast<float>(std::sqrt(-2 * std::log(radius)) * std::cos(2 * std::numbers::pi * angle));
}

/// Elements of a matrix in chunks of this size, so that workers share them evenly.
constexpr std::size_t kGrain = 1024;

}  // namespace

HostProduct::HostProduct(host::ThreadTeam& team, const Shape& shape)
    : team_(team),
      shape_(shape),
      w_(elements(shape.m, shape.k) * sizeof(float)),
      x_(elements(shape.n, shape.k) * sizeof(float)),
      y_(elements(shape.n, shape.m) * sizeof(float)) {
  // Our workers are the threads.
  openblas_set_num_threads(1);
  team_.run([this](int worker) {
    const auto fill = [&](std::span<float> matrix, std::uint64_t seed) {
      const host::Slice slice = host::slice_of(matrix.size(), worker, team_.size(), kGrain);
      for (std::size_t i = slice.begin; i < slice.end; ++i) matrix[i] = normal(i, seed);
    };
    fill(w_.as<float>(), 1);
    fill(x_.as<float>(), 2);
  });
}

void HostProduct::run() {
  team_.run([this](int worker) {
    const host::Slice rows = host::slice_of(static_cast<std::size_t>(shape_.m), worker, team_.size(), 16);
    const auto count = static_cast<int>(rows.end - rows.begin);
    if (count == 0) return;
    const auto n = static_cast<int>(shape_.n), k = static_cast<int>(shape_.k), m = static_cast<int>(shape_.m);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, count, k, 1.0F, x_.as<float>().data(), k,
                w_.as<float>().data() + rows.begin * static_cast<std::size_t>(shape_.k), k, 0.0F,
                y_.as<float>().data() + rows.begin, m);
  });
}

Evidence HostProduct::evidence() {
  const auto m = static_cast<std::size_t>(shape_.m), n = static_cast<std::size_t>(shape_.n),
             k = static_cast<std::size_t>(shape_.k);
  const float *const w = w_.as<float>().data(), *const x = x_.as<float>().data(),
                     *const y = y_.as<float>().data();
  std::vector<double> sums(k);
  for (std::size_t j = 0; j < m; ++j) {
    const double sign = sign_of(static_cast<std::int64_t>(j));
    for (std::size_t l = 0; l < k; ++l) sums[l] += sign * static_cast<double>(w[j * k + l]);
  }
  Evidence evidence;
  for (std::size_t i = 0; i < n; ++i) {
    RowSum row{0, 0};
    for (std::size_t j = 0; j < m; ++j)
      row.found += sign_of(static_cast<std::int64_t>(j)) * static_cast<double>(y[i * m + j]);
    for (std::size_t l = 0; l < k; ++l) row.wanted += sums[l] * static_cast<double>(x[i * k + l]);
    evidence.rows.push_back(row);
  }
  for (int s = 0; s < kSamples; ++s) {
    Sample sample{sampled_row(s, shape_.n), sampled_column(s, shape_.m), 0, 0, 0};
    const auto i = static_cast<std::size_t>(sample.row), j = static_cast<std::size_t>(sample.column);
    sample.found = static_cast<double>(y[i * m + j]);
    double squares = 0;
    for (std::size_t l = 0; l < k; ++l) {
      const double term = static_cast<double>(x[i * k + l]) * static_cast<double>(w[j * k + l]);
      sample.wanted += term;
      squares += term * term;
    }
    sample.spread = std::sqrt(squares);
    evidence.samples.push_back(sample);
  }
  return evidence;
}

Attributes HostProduct::facts() const {
  return {{"library", std::string(openblas_get_config())}, {"threads", std::int64_t{team_.size()}}};
}

}  // namespace sparkmpi::kernels::gemm
