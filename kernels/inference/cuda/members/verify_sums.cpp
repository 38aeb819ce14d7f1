#include "kernels/inference/cuda/members/verify_sums.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "base/error.hpp"
#include "kernels/inference/cuda/device.hpp"

namespace sparkmpi::kernels::inference::gpu {
namespace {

/// Between -1 and 1, with all bits of the mantissa in use.
float value_of(int member, std::size_t i) {
  std::uint64_t x = (static_cast<std::uint64_t>(member) << 40) + i + 1;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;  // splitmix64 (Steele et al. 2014)
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return static_cast<float>(static_cast<double>(x >> 11) * 0x1p-52 - 1);
}

}  // namespace

void verify_sums(AllReduce& sums, Group& group, std::size_t count) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = value_of(group.rank(), i);
  const DeviceMemory memory(count * sizeof(float), "trying sums out");
  const Stream stream;
  check(cudaMemcpyAsync(memory.as(), values.data(), memory.bytes(), cudaMemcpyHostToDevice, stream),
        "copy of values");
  sums.sum(memory.as<float>(), count, {stream, false});
  try {
    wait_with_members(stream, sums, group, "trying sums out");
  } catch (...) {
    sums.abort();
    throw;
  }
  check(cudaMemcpy(values.data(), memory.as(), memory.bytes(), cudaMemcpyDeviceToHost), "cudaMemcpy");
  const double tolerance = 1e-6 * group.size();
  for (std::size_t i = 0; i < count; ++i) {
    double expected = 0;
    for (int member = 0; member < group.size(); ++member)
      expected += static_cast<double>(value_of(member, i));
    if (std::abs(values[i] - expected) <= tolerance) continue;
    throw Error(fmt::format("sums over the GPUs ({}) are wrong: value {} of {} is {}, not {}", sums.name(), i,
                            count, values[i], expected));
  }
  std::vector<float> first = values;
  group.broadcast(std::as_writable_bytes(std::span(first)), 0);
  if (std::memcmp(first.data(), values.data(), count * sizeof(float)) != 0)
    throw Error(fmt::format("sums over the GPUs ({}) differ between the first member and member {}",
                            sums.name(), group.rank()));
}

}  // namespace sparkmpi::kernels::inference::gpu
