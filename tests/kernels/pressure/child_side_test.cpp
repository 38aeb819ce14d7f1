#include "kernels/pressure/child_side.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <vector>

#include "ledger/field_file.hpp"

namespace sparkmpi::kernels::pressure {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;

/// MemAvailable as the test wants it.
class MadeUpMeminfo final : public ledger::Ledger {
 public:
  explicit MadeUpMeminfo(const double& available) : available_(available) {}
  std::string_view name() const override { return "meminfo"; }
  ledger::Cost cost() const override { return ledger::Cost::cheap; }
  void read(std::vector<ledger::Reading>& out) override {
    out.push_back(ledger::make_reading("meminfo.MemAvailable", "B", ledger::Answer::value, available_));
  }

 private:
  const double& available_;
};

/// Grants `capacity` in all; what each block lives through is written down.
struct MadeUpMemory {
  std::uint64_t capacity = 0, taken = 0, touched = 0;
};
MadeUpMemory& memory() {
  static MadeUpMemory instance;
  return instance;
}
class MadeUpBlock final : public Block {
 public:
  explicit MadeUpBlock(std::uint64_t bytes) : bytes_(bytes) {
    if (memory().taken + bytes > memory().capacity) throw AllocationRefused("made up: no more");
    memory().taken += bytes;
  }
  ~MadeUpBlock() override { memory().taken -= bytes_; }
  void touch(std::size_t, std::size_t bytes) override { memory().touched += bytes; }

 private:
  std::uint64_t bytes_;
};
constexpr AllocatorInfo kMadeUp = {
    .name = "made_up", .what = "for tests", .allocate = [](std::size_t bytes) -> std::unique_ptr<Block> {
      return std::make_unique<MadeUpBlock>(bytes);
    }};

class HoldingsTest : public ::testing::Test {
 protected:
  HoldingsTest() {
    memory() = {1000 * kMiB, 0, 0};
    rules_.floor = 1e9;
    ledgers_.add(std::make_unique<MadeUpMeminfo>(available_));
  }
  double available_ = 8e9;
  Rules rules_;
  ledger::LedgerSet ledgers_;
};

TEST_F(HoldingsTest, GrowsAndTouchesEveryByteOnce) {
  Holdings holdings(kMadeUp, rules_, ledgers_);
  EXPECT_EQ(holdings.grow_to(100 * kMiB).held, 100 * kMiB);
  EXPECT_EQ(holdings.grow_to(133 * kMiB + 1).held, 133 * kMiB + 1);
  EXPECT_EQ(memory().touched, 133 * kMiB + 1);
  EXPECT_EQ(memory().taken, 133 * kMiB + 1);
}

TEST_F(HoldingsTest, ARefusedBlockLeavesWhatWasHeld) {
  Holdings holdings(kMadeUp, rules_, ledgers_);
  holdings.grow_to(900 * kMiB);
  const Report report = holdings.grow_to(1100 * kMiB);
  ASSERT_TRUE(report.refusal);
  EXPECT_EQ(report.refusal->cause, Cause::return_code);
  EXPECT_EQ(report.refusal->text, "made up: no more");
  EXPECT_EQ(report.held, 900 * kMiB);
  EXPECT_EQ(holdings.grow_to(1000 * kMiB).held, 1000 * kMiB);
}

TEST_F(HoldingsTest, StopsTouchingWhenOthersTakeTheNodeBelowItsFloor) {
  Holdings holdings(kMadeUp, rules_, ledgers_);
  holdings.grow_to(64 * kMiB);
  available_ = 0.9e9;
  const Report report = holdings.grow_to(512 * kMiB);
  ASSERT_TRUE(report.refusal);
  EXPECT_EQ(report.refusal->cause, Cause::floor);
  EXPECT_EQ(report.held, 64 * kMiB);
  EXPECT_EQ(memory().taken, 64 * kMiB) << "the block that was refused has not been given back";
  EXPECT_EQ(memory().touched, 64 * kMiB);
}

double available_now() {
  ledger::LedgerSet ledgers = ledger::standard_ledgers();
  return headroom_of(ledgers.read(true)).mem_available;
}

/// Bytes of this process that are really there.
double resident() {
  std::ifstream file("/proc/self/statm");
  double size = 0, pages = 0;
  file >> size >> pages;
  return pages * 4096;
}

/// The address sanitizer keeps what is freed for a while, to catch its use.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kFreedIsKept = true;
#else
constexpr bool kFreedIsKept = false;
#endif

TEST(HostAllocators, EachPutsItsBytesIntoMemoryAndTakesThemBack) {
  if (available_now() < 512.0 * 1024 * 1024) GTEST_SKIP() << "less than 512 MiB are available";
  constexpr std::uint64_t kBytes = 48 * kMiB;
  for (const AllocatorInfo& info : host_allocators()) {
    const double before = resident();
    try {
      const auto block = info.allocate(kBytes);
      block->touch(0, kBytes);
      // Resident sets leave the huge page pool out.
      const double expected = info.name == "hugetlb" ? 0 : static_cast<double>(kBytes);
      EXPECT_NEAR(resident() - before, expected, 4e6) << info.name;
    } catch (const AllocationRefused& refusal) {
      // The pool may be empty and /dev/shm small; nothing else has a reason here.
      EXPECT_TRUE(info.name == "hugetlb" || info.name == "posix_shm") << info.name << ": " << refusal.what();
    }
    if (!kFreedIsKept || info.name != "malloc") {
      EXPECT_NEAR(resident(), before, 4e6) << info.name;
    }
  }
}

TEST(HostAllocators, SayWhatTheSystemSaid) {
  for (const AllocatorInfo& info : host_allocators()) {
    try {
      info.allocate(std::size_t{1} << 60U);
      ADD_FAILURE() << info.name << " granted 1 EiB";
    } catch (const AllocationRefused& refusal) {
      const std::string text = refusal.what();
      EXPECT_NE(text.find("more: "), std::string::npos) << text;
    }
  }
}

}  // namespace
}  // namespace sparkmpi::kernels::pressure
