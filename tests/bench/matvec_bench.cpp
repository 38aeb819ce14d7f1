// The decode product alone: GB/s of weights read by each SIMD set's matvec, beside the read bandwidth of the
// same threads. Rows of 576, 1536 and 4096 columns, 1 and 4 vectors; best of six.
//
//   bench_matvec [THREADS]      default: 2

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "kernels/host/buffer.hpp"
#include "kernels/host/thread_team.hpp"
#include "kernels/inference/host/math_ops.hpp"
#include "kernels/stream/read_bandwidth.hpp"

using namespace sparkmpi::kernels;
using namespace sparkmpi::kernels::inference;

namespace {

constexpr std::size_t kElements = std::size_t{128} << 20;  // 256 MiB of BF16: beyond every cache

double best_bandwidth(host::ThreadTeam& team, const MathOps& ops, const host::Buffer& weights,
                      std::size_t columns, std::size_t vectors) {
  const std::size_t rows = kElements / columns;
  const std::vector<float> input(columns, 1.0F);
  std::vector<float> packed(columns * vectors), output(rows * vectors);
  for (std::size_t v = 0; v < vectors; ++v)
    ops.pack(input.data(), columns, columns, packed.data() + v * columns);
  const auto* const matrix = reinterpret_cast<const Bf16*>(weights.data());
  double best = 0;
  for (int repetition = 0; repetition < 6; ++repetition) {
    const auto begin = std::chrono::steady_clock::now();
    team.run([&](int worker) {
      const auto slice = host::slice_of(rows, worker, team.size());
      ops.matvec(matrix + slice.begin * columns, slice.end - slice.begin, columns, packed.data(), vectors,
                 output.data() + slice.begin, rows);
    });
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
    best = std::max(best, static_cast<double>(rows * columns * sizeof(Bf16)) / elapsed.count());
  }
  return best;
}

}  // namespace

int main(int count, char** words) {
  const int threads = count > 1 ? std::max(1, std::atoi(words[1])) : 2;
  std::vector<int> cpus(static_cast<std::size_t>(threads));
  for (int i = 0; i < threads; ++i) cpus[static_cast<std::size_t>(i)] = i;
  host::ThreadTeam team(cpus);
  host::Buffer weights(kElements * sizeof(Bf16));
  team.run([&](int worker) {
    const auto slice = host::slice_of(weights.size(), worker, team.size());
    std::memset(weights.data() + slice.begin, 1, slice.end - slice.begin);
  });
  fmt::print("read       {:6.1f} GB/s\n",
             1e-9 * stream::measure_read_bandwidth(team, std::size_t{256} << 20, 0.5));
  for (const auto simd : {host::Simd::portable, host::Simd::avx2, host::Simd::avx512, host::Simd::avx512_bf16,
                          host::Simd::neon, host::Simd::sve}) {
    if (!host::supported(simd)) continue;
    const MathOps ops = math_ops_for(simd);
    for (const std::size_t columns : {576, 1536, 4096}) {
      for (const std::size_t vectors : {1, 4}) {
        fmt::print("{:12} {:5} columns {} vectors {:6.1f} GB/s\n", host::to_string(simd), columns, vectors,
                   1e-9 * best_bandwidth(team, ops, weights, columns, vectors));
      }
    }
  }
}
