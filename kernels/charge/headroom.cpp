#include "kernels/charge/headroom.hpp"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace sparkmpi::kernels::charge {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::size_t kMiB = std::size_t{1} << 20U;
constexpr std::size_t kLargestDefault = 256 * kMiB, kLargestOfLargeHost = 512 * kMiB;
constexpr std::size_t kSmallestDefault = 8 * kMiB;
constexpr double kLargeHost = 32.0 * 1024 * static_cast<double>(kMiB);
/// The child itself, its page tables, and what this process records meanwhile.
constexpr double kMargin = 64.0 * static_cast<double>(kMiB);

double value_of(std::span<const ledger::Reading> readings, std::string_view name, double otherwise) {
  const auto found = std::ranges::find(readings, name, &ledger::Reading::name);
  return found == readings.end() || found->answer != ledger::Answer::value ? otherwise : found->value;
}

}  // namespace

Headroom headroom(std::span<const ledger::Reading> readings, double shared_memory) {
  Headroom available{value_of(readings, "meminfo.MemAvailable", kInfinity), shared_memory,
                     value_of(readings, "cuda.free", kInfinity)};
  for (const ledger::Reading& reading : readings) {
    constexpr std::string_view kLimit = ".max";
    if (!reading.name.starts_with("cgroup") || !reading.name.ends_with(kLimit) || reading.unit != "B")
      continue;
    if (reading.answer != ledger::Answer::value || !std::isfinite(reading.value)) continue;
    const std::string level = reading.name.substr(0, reading.name.size() - kLimit.size());
    const auto of = [&](const char* field) { return value_of(readings, level + field, 0); };
    const double cache = std::max(0.0, of(".stat.file") - of(".stat.shmem"));
    available.host = std::min(available.host, reading.value - of(".current") + cache);
  }
  available.host = std::max(0.0, available.host - kMargin);
  return available;
}

double free_shared_memory() {
  struct statvfs information {};
  if (statvfs("/dev/shm", &information) != 0) return 0;
  return static_cast<double>(information.f_bavail) * static_cast<double>(information.f_frsize);
}

std::vector<std::size_t> default_sizes(const Headroom& available) {
  const double most = std::min(available.host, available.device) / 4;
  const std::size_t cap = available.host >= kLargeHost ? kLargestOfLargeHost : kLargestDefault;
  const auto largest = std::bit_floor(static_cast<std::size_t>(std::min(most, static_cast<double>(cap))));
  if (largest < kSmallestDefault) {
    throw Error(fmt::format("charge: only {} of memory can be had here, {} are needed",
                            format_bytes(std::min(available.host, available.device)),
                            format_bytes(4.0 * static_cast<double>(kSmallestDefault))));
  }
  return {largest / 4, largest / 2, largest};
}

std::vector<std::size_t> sizes_for(const AllocatorInfo& allocator, std::span<const std::size_t> sizes,
                                   const Headroom& available) {
  std::vector<std::size_t> fitting(sizes.begin(), sizes.end());
  if (allocator.needs != Needs::shared_memory) return fitting;
  const auto fits = [&] {
    return static_cast<double>(*std::ranges::max_element(fitting)) <= 0.9 * available.shared_memory;
  };
  while (!fits() && *std::ranges::min_element(fitting) > kMiB)
    std::ranges::transform(fitting, fitting.begin(), [](std::size_t bytes) { return bytes / 2; });
  return fitting;
}

std::string objection(const AllocatorInfo& allocator, std::size_t bytes, const Headroom& available) {
  const auto wanted = static_cast<double>(bytes);
  const auto line = [&](double most, std::string_view where) {
    return fmt::format("{} {} not tried: {} can be had {}", allocator.name, format_bytes(wanted),
                       format_bytes(most), where);
  };
  if (wanted > available.host) return line(available.host, "here");
  if (allocator.needs == Needs::gpu && wanted > available.device) return line(available.device, "on the GPU");
  if (allocator.needs == Needs::shared_memory && wanted > available.shared_memory)
    return line(available.shared_memory, "in /dev/shm");
  return {};
}

}  // namespace sparkmpi::kernels::charge
