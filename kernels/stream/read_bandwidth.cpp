#include "kernels/stream/read_bandwidth.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "base/error.hpp"
#include "kernels/stream/device_arrays.hpp"
#include "kernels/stream/host/arrays.hpp"

namespace sparkmpi::kernels::stream {

double measure_read_bandwidth(host::ThreadTeam& team, std::size_t bytes, double seconds) {
  Arrays arrays(team, kOperations.front(), bytes);
  const Loops loops = loops_for(host::best_simd(), false);
  arrays.run(loops);
  double best = 0, spent = 0;
  while (spent < seconds) {
    const auto start = std::chrono::steady_clock::now();
    arrays.run(loops);
    const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::max(best, arrays.bytes() / took);
    spent += took;
  }
  arrays.verify();
  return best;
}

double measure_read_bandwidth(const CudaModule& cuda, const Device& gpu, std::size_t bytes, double seconds) {
  const auto* const module = cuda.find<CudaStream>();
  if (module == nullptr) throw Error("read bandwidth of " + gpu.id + ": " + cuda.reason());
  const auto arrays = module->make(gpu.ordinal, kOperations.front(), bytes, MemoryKind::device, 0);
  const auto read = [&] { arrays->run(); };
  arrays->clock().time(read, 1);
  double best = 0, spent = 0;
  while (spent < seconds) {
    const double took = arrays->clock().time(read, 1);
    best = std::max(best, arrays->bytes() / took);
    spent += took;
  }
  arrays->verify();
  return best;
}

std::size_t last_level_cache_bytes() {
  constexpr std::size_t kUnknown = std::size_t{32} << 20;
  const long third = sysconf(_SC_LEVEL3_CACHE_SIZE), second = sysconf(_SC_LEVEL2_CACHE_SIZE);
  const long largest = std::max(third, second);
  return largest > 0 ? static_cast<std::size_t>(largest) : kUnknown;
}

}  // namespace sparkmpi::kernels::stream
