#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "base/error.hpp"
#include "kernels/charge/charge_options.hpp"
#include "kernels/charge/headroom.hpp"

namespace sparkmpi::kernels::charge {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::set<std::string_view> names(std::string_view text, std::span<const AllocatorInfo> cuda = {}) {
  std::set<std::string_view> found;
  for (const AllocatorInfo& info : chosen_allocators(text, host_allocators(), cuda)) found.insert(info.name);
  return found;
}

TEST(Allocators, NamesAndGroupsWithTheControls) {
  EXPECT_EQ(names("memfd"), (std::set<std::string_view>{"malloc", "file_read", "memfd"}));
  EXPECT_EQ(names("all").size(), host_allocators().size());
  const AllocatorInfo gpu[] = {{"cudaMalloc", "", Needs::gpu, nullptr}};
  EXPECT_EQ(names("cuda", gpu), (std::set<std::string_view>{"malloc", "file_read", "cudaMalloc"}));
  EXPECT_EQ(names("host", gpu).size(), host_allocators().size());
}

TEST(Allocators, UnknownOnesAndAGpuThatIsNotThereAreRefused) {
  EXPECT_THROW(names("mallok"), UsageError);
  EXPECT_THROW(names("cuda"), UsageError);
  EXPECT_THROW(names("cudaMalloc"), UsageError);
  EXPECT_THROW(names("malloc,,memfd"), UsageError);
}

TEST(Sizes, ThreeDifferentWholeNumbersOfTwoMiB) {
  EXPECT_EQ(chosen_sizes("8M,2M,4M"), (std::vector<std::size_t>{2 * kMiB, 4 * kMiB, 8 * kMiB}));
  EXPECT_EQ(chosen_sizes("16M-64M*2").size(), 3U);
  EXPECT_TRUE(chosen_sizes("auto").empty());
  EXPECT_THROW(chosen_sizes("2M,4M,4M"), UsageError);
  EXPECT_THROW(chosen_sizes("2M,3M,4M"), UsageError);
  EXPECT_THROW(chosen_sizes("0,2M,4M,6M"), UsageError);
}

TEST(Order, HasEveryCellInEveryBlockAndFollowsItsSeed) {
  const std::vector<PlannedCell> cells = {{"a", 1}, {"a", 2}, {"b", 1}, {"b", 2}};
  const auto order = randomised(cells, 3, 5, 7);
  ASSERT_EQ(order.size(), 3 * cells.size() + 5);
  std::map<std::pair<std::string, std::size_t>, int> times;
  for (const PlannedCell& cell : order) ++times[{cell.allocator, cell.bytes}];
  for (const PlannedCell& cell : cells) EXPECT_EQ((times[{cell.allocator, cell.bytes}]), 3);
  const auto same = [](const std::vector<PlannedCell>& first, const std::vector<PlannedCell>& second) {
    return std::ranges::equal(first, second, [](const PlannedCell& one, const PlannedCell& other) {
      return one.allocator == other.allocator && one.bytes == other.bytes;
    });
  };
  EXPECT_TRUE(same(order, randomised(cells, 3, 5, 7)));
  EXPECT_FALSE(same(order, randomised(cells, 3, 5, 8)));
}

ledger::Reading reading(const char* name, double value) {
  return {name, "B", ledger::Answer::value, value};
}

TEST(Headroom, IsTheTightestOfTheNodeAndEveryCgroup) {
  const double mib = static_cast<double>(kMiB);
  std::vector<ledger::Reading> readings = {reading("meminfo.MemAvailable", 8192 * mib)};
  EXPECT_EQ(headroom(readings, 0).host, (8192 - 64) * mib);
  EXPECT_EQ(headroom(readings, 0).device, kInfinity);
  readings.push_back(reading("cgroup.max", kInfinity));
  readings.push_back(reading("cgroup^1.max", 1024 * mib));
  readings.push_back(reading("cgroup^1.current", 800 * mib));
  readings.push_back(reading("cgroup^1.stat.file", 300 * mib));
  readings.push_back(reading("cgroup^1.stat.shmem", 100 * mib));
  EXPECT_EQ(headroom(readings, 0).host, (1024 - 800 + 200 - 64) * mib)
      << "page cache gives way, shmem does not";
}

TEST(Headroom, DecidesTheDefaultSizes) {
  const double mib = static_cast<double>(kMiB);
  EXPECT_EQ(default_sizes({8192 * mib, 0, kInfinity}),
            (std::vector<std::size_t>{64 * kMiB, 128 * kMiB, 256 * kMiB}));
  EXPECT_EQ(default_sizes({65536 * mib, 0, kInfinity}).back(), 512 * kMiB);
  EXPECT_EQ(default_sizes({600 * mib, 0, kInfinity}).back(), 128 * kMiB);
  EXPECT_EQ(default_sizes({8192 * mib, 0, 300 * mib}).back(), 64 * kMiB);
  EXPECT_THROW(default_sizes({20 * mib, 0, kInfinity}), Error);
}

TEST(Headroom, OnlySharedMemoryIsHalvedForASmallDevShm) {
  const std::vector<std::size_t> sizes = {64 * kMiB, 128 * kMiB, 256 * kMiB};
  const Headroom docker{1e12, 64.0 * static_cast<double>(kMiB), kInfinity};
  for (const AllocatorInfo& info : host_allocators()) {
    const bool shared = info.needs == Needs::shared_memory;
    EXPECT_EQ(sizes_for(info, sizes, docker).back(), (shared ? 32 : 256) * kMiB) << info.name;
    EXPECT_EQ(objection(info, 128 * kMiB, docker).empty(), !shared) << info.name;
    EXPECT_FALSE(objection(info, std::size_t{1} << 41, docker).empty()) << info.name;
  }
}

}  // namespace
}  // namespace sparkmpi::kernels::charge
