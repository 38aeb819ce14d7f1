#include "kernels/pressure/headroom.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "ledger/field_file.hpp"

namespace sparkmpi::kernels::pressure {
namespace {

using ledger::Answer;
using ledger::make_reading;

constexpr double kGiB = 1024.0 * 1024 * 1024;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNoValue = std::numeric_limits<double>::quiet_NaN();

Headroom node(double available) {
  return {available, kInfinity, kInfinity, kNoValue, "cgroup"};
}

TEST(Floor, IsFivePerCentAndAtLeastOneGiB) {
  EXPECT_DOUBLE_EQ(default_floor(512 * kGiB), 25.6 * kGiB);
  EXPECT_DOUBLE_EQ(default_floor(4 * kGiB), kGiB);
}

TEST(Floor, StopsBeforeMemAvailableFallsBelowIt) {
  Rules rules;
  rules.floor = 2 * kGiB;
  EXPECT_FALSE(refuse_growth(8 * kGiB, node(10 * kGiB), rules));
  const auto refusal = refuse_growth(8 * kGiB, node(10 * kGiB - 1), rules);
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->cause, Cause::floor);
}

TEST(Floor, CountsAllRanksThatGrowAtOnce) {
  Rules rules;
  rules.floor = 2 * kGiB;
  rules.growing = 4;
  EXPECT_FALSE(refuse_growth(2 * kGiB, node(10 * kGiB), rules));
  EXPECT_TRUE(refuse_growth(3 * kGiB, node(10 * kGiB), rules));
  EXPECT_DOUBLE_EQ(budget(node(10 * kGiB), rules), 2 * kGiB);
}

TEST(Floor, WithoutMemAvailableNothingIsTaken) {
  Rules rules;
  rules.floor = kGiB;
  EXPECT_TRUE(refuse_growth(0, node(kNoValue), rules));
  EXPECT_EQ(budget(node(kNoValue), rules), 0);
}

TEST(Floor, HoldsForTheCgroupUnlessUntilKilled) {
  Rules rules;
  rules.floor = kGiB;
  Headroom left = node(100 * kGiB);
  left.cgroup_limit = kGiB;
  left.cgroup = 0.5 * kGiB;
  EXPECT_DOUBLE_EQ(budget(left, rules), 0.45 * kGiB);
  EXPECT_FALSE(refuse_growth(0.44 * kGiB, left, rules));
  EXPECT_EQ(refuse_growth(0.46 * kGiB, left, rules)->cause, Cause::cgroup_floor);
  rules.until_killed = true;
  EXPECT_FALSE(refuse_growth(2 * kGiB, left, rules));
  // The node's floor stays whatever the cgroup allows.
  EXPECT_EQ(refuse_growth(99.5 * kGiB, left, rules)->cause, Cause::floor);
}

TEST(Floor, DeviceMemoryOfADiscreteGpuTakesNothingFromTheHost) {
  Rules rules;
  rules.floor = kGiB;
  rules.pool = Pool::gpu;
  Headroom left = node(4 * kGiB);
  left.gpu_free = 80 * kGiB;
  EXPECT_FALSE(refuse_growth(60 * kGiB, left, rules));
  EXPECT_DOUBLE_EQ(budget(left, rules), 80 * kGiB);
  rules.pool = Pool::gpu_shared;
  EXPECT_EQ(refuse_growth(60 * kGiB, left, rules)->cause, Cause::floor);
  rules.pool = Pool::gpu;
  left.mem_available = 0.5 * kGiB;  // below the floor already, whoever took it
  EXPECT_EQ(refuse_growth(1, left, rules)->cause, Cause::floor);
}

TEST(Managed, NeverExceedsWhatIsFreeOnTheGpu) {
  Rules rules;
  rules.floor = kGiB;
  rules.pool = Pool::gpu;
  rules.bound_by_gpu_free = true;
  Headroom left = node(400 * kGiB);
  left.gpu_free = 10 * kGiB;
  EXPECT_FALSE(refuse_growth(10 * kGiB, left, rules));
  EXPECT_EQ(refuse_growth(10 * kGiB + 1, left, rules)->cause, Cause::gpu_free);
  left.gpu_free = kNoValue;
  EXPECT_EQ(refuse_growth(1, left, rules)->cause, Cause::gpu_free);
}

TEST(Headroom, TakesTheTightestLevelAndCountsReclaimableCache) {
  const std::vector<ledger::Reading> readings = {
      make_reading("meminfo.MemAvailable", "B", Answer::value, 50 * kGiB),
      make_reading("cgroup.current", "B", Answer::value, 1 * kGiB),
      make_reading("cgroup.max", "B", Answer::value, 8 * kGiB),
      make_reading("cgroup.events.max", "1", Answer::value, 0),
      make_reading("cgroup^1.current", "B", Answer::value, 3 * kGiB),
      make_reading("cgroup^1.max", "B", Answer::value, 4 * kGiB),
      make_reading("cgroup^1.swap_max", "B", Answer::value, 0),
      make_reading("cgroup^1.stat.inactive_file", "B", Answer::value, 0.5 * kGiB),
      make_reading("cgroup^1.stat.active_file", "B", Answer::value, 0.25 * kGiB),
      make_reading("cgroup^2.max", "B", Answer::value, kInfinity),
  };
  const Headroom left = headroom_of(readings);
  EXPECT_EQ(left.tightest, "cgroup^1");
  EXPECT_DOUBLE_EQ(left.cgroup, 1.75 * kGiB);
  EXPECT_DOUBLE_EQ(left.cgroup_limit, 4 * kGiB);
  EXPECT_DOUBLE_EQ(left.mem_available, 50 * kGiB);
  EXPECT_TRUE(std::isnan(left.gpu_free));
}

TEST(Headroom, WithoutLimitsTheNodeAloneDecides) {
  const std::vector<ledger::Reading> readings = {
      make_reading("meminfo.MemAvailable", "B", Answer::value, 50 * kGiB),
      make_reading("cgroup.max", "B", Answer::value, kInfinity),
      make_reading("cgroup^1.max", "B", Answer::absent),
  };
  EXPECT_TRUE(std::isinf(headroom_of(readings).cgroup));
  EXPECT_EQ(headroom_of(readings).tightest, "cgroup");
}

/// A machine with 64 GiB available and cgroup version 2, of which a test says the rest.
class UntilKilled : public ::testing::Test {
 protected:
  UntilKilled() {
    std::string name = ::testing::TempDir() + "sparkmpi-pressure-XXXXXX";
    root_.path = mkdtemp(name.data());
    write("proc/meminfo", "MemTotal: 67108864 kB\nMemFree: 67108864 kB\nMemAvailable: 67108864 kB\n");
    write("proc/self/cgroup", "0::/outer/inner\n");
    write("proc/self/mountinfo", "30 20 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    for (const std::string level : {"outer", "outer/inner"}) {
      write("sys/fs/cgroup/" + level + "/memory.max", "max\n");
      write("sys/fs/cgroup/" + level + "/memory.current", "1048576\n");
      write("sys/fs/cgroup/" + level + "/memory.oom.group", "0\n");
    }
  }
  ~UntilKilled() override { std::filesystem::remove_all(root_.path); }

  void write(const std::string& path, const std::string& text) const {
    const std::filesystem::path whole = root_.path / path;
    std::filesystem::create_directories(whole.parent_path());
    std::ofstream(whole) << text;
  }
  std::optional<std::string> refusal() const { return refuse_until_killed(root_, 4 * kGiB); }

  ledger::FileRoot root_;
};

TEST_F(UntilKilled, NeedsALimit) {
  ASSERT_TRUE(refusal());
  EXPECT_NE(refusal()->find("no memory cgroup limits"), std::string::npos);
  std::filesystem::remove_all(root_.path / "sys");
  EXPECT_TRUE(refusal());
}

TEST_F(UntilKilled, MayUseALimitThatTheNodeCanSpareAtAnyLevel) {
  write("sys/fs/cgroup/outer/memory.max", "1073741824\n");
  EXPECT_FALSE(refusal());
}

TEST_F(UntilKilled, NeverEatsIntoTheNodesFloor) {
  write("sys/fs/cgroup/outer/inner/memory.max", std::to_string(std::uint64_t{61} << 30U));
  ASSERT_TRUE(refusal());
  EXPECT_NE(refusal()->find("above what the node can spare"), std::string::npos);
}

TEST_F(UntilKilled, IsNotForGroupsThatDieAsAWhole) {
  write("sys/fs/cgroup/outer/inner/memory.max", "1073741824\n");
  write("sys/fs/cgroup/outer/memory.oom.group", "1\n");
  EXPECT_FALSE(refusal()) << "what stands above the level that runs out has no say";
  write("sys/fs/cgroup/outer/inner/memory.oom.group", "1\n");
  ASSERT_TRUE(refusal());
  EXPECT_NE(refusal()->find("memory.oom.group"), std::string::npos);
}

}  // namespace
}  // namespace sparkmpi::kernels::pressure
