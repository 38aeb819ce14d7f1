#include "ledger/byte_balance.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <numeric>

#include "ledger/injected_file.hpp"
#include "tests/ledger/tree.hpp"

namespace sparkmpi::ledger {
namespace {

constexpr double kMiB = 1024.0 * 1024;

/// A made-up snapshot, in bytes.
std::vector<Reading> snapshot(std::map<std::string, double> changes = {}) {
  std::map<std::string, double> fields = {
      {"MemTotal", 1000},   {"MemFree", 300},   {"AnonPages", 200},   {"AnonHugePages", 100},
      {"Cached", 250},      {"Buffers", 10},    {"Shmem", 40},        {"Mapped", 60},
      {"Mlocked", 5},       {"Slab", 50},       {"SReclaimable", 30}, {"SUnreclaim", 20},
      {"KReclaimable", 33}, {"KernelStack", 4}, {"PageTables", 8},    {"SecPageTables", 2},
      {"VmallocUsed", 20},  {"Percpu", 6},      {"Hugetlb", 64},      {"Zswap", 1},
      {"SwapCached", 7},    {"Dirty", 9}};
  for (const auto& [name, change] : changes) fields[name] += change;
  std::vector<Reading> readings;
  for (const auto& [name, value] : fields) readings.push_back({"meminfo." + name, "B", Answer::value, value});
  readings.push_back(
      {"zoneinfo.pcp_free", "B", Answer::value, changes.contains("pcp") ? 12 + changes["pcp"] : 12});
  return readings;
}

double term(const ByteBalance& balance, const std::string& name) {
  for (const BalanceTerm& each : balance.terms) {
    if (each.name == name) return each.change;
  }
  return std::nan("");
}

double sum(const ByteBalance& balance) {
  return std::accumulate(balance.terms.begin(), balance.terms.end(), balance.residual,
                         [](double total, const BalanceTerm& each) { return total + each.change; });
}

TEST(ByteBalance, TermsAndResidualAddUpToTheChangeOfMemFree) {
  const auto balance =
      byte_balance(snapshot(), snapshot({{"MemFree", -77}, {"AnonPages", 50}, {"Slab", 20}}));
  ASSERT_TRUE(balance);
  EXPECT_EQ(balance->free_change, -77);
  EXPECT_EQ(balance->residual, -7);
  EXPECT_EQ(sum(*balance), balance->free_change);
}

TEST(ByteBalance, NothingMovedNothingIsLeft) {
  const auto balance = byte_balance(snapshot(), snapshot());
  ASSERT_TRUE(balance);
  for (const BalanceTerm& each : balance->terms) EXPECT_EQ(each.change, 0) << each.name;
  EXPECT_EQ(balance->residual, 0);
}

TEST(ByteBalance, EachKindOfMemoryIsCountedOnce) {
  struct Case {
    const char* what;
    std::map<std::string, double> fields;  ///< as the kernel moves them together for 16 bytes of it
    const char* term;
  };
  const std::vector<Case> cases = {
      {"a huge anonymous page", {{"AnonPages", 16}, {"AnonHugePages", 16}}, "anonymous"},
      {"locked memory", {{"AnonPages", 16}, {"Mlocked", 16}}, "anonymous"},
      {"a file that is read", {{"Cached", 16}}, "page cache"},
      {"a file that is mapped and dirty", {{"Cached", 16}, {"Mapped", 16}, {"Dirty", 16}}, "page cache"},
      {"a block device's blocks", {{"Buffers", 16}}, "page cache"},
      {"shared memory", {{"Cached", 16}, {"Shmem", 16}, {"Mapped", 16}}, "shared memory"},
      {"inodes", {{"Slab", 16}, {"SReclaimable", 16}, {"KReclaimable", 16}}, "slab"},
      {"a driver's reclaimable pages", {{"KReclaimable", 16}}, "kernel cache"},
      {"threads", {{"KernelStack", 16}, {"VmallocUsed", 16}}, "kernel stacks"},
      {"a module", {{"VmallocUsed", 16}}, "vmalloc"},
      {"a KVM guest's tables", {{"SecPageTables", 16}}, "page tables"},
      {"a reserve of huge pages", {{"Hugetlb", 16}}, "huge pages"},
      {"free pages of a CPU", {{"pcp", 16}}, "CPU free lists"}};
  for (const Case& each : cases) {
    auto fields = each.fields;
    fields["MemFree"] -= 16;
    const auto balance = byte_balance(snapshot(), snapshot(fields));
    ASSERT_TRUE(balance) << each.what;
    EXPECT_EQ(term(*balance, each.term), -16) << each.what;
    EXPECT_EQ(balance->residual, 0) << each.what;
  }
}

TEST(ByteBalance, StacksOutsideVmallocAreNotTakenOutOfIt) {
  const std::map<std::string, double> little = {{"VmallocUsed", -19}};  // 1, with stacks of 4
  auto later = little;
  later["KernelStack"] += 16;
  later["MemFree"] -= 16;
  const auto balance = byte_balance(snapshot(little), snapshot(later));
  ASSERT_TRUE(balance);
  EXPECT_EQ(term(*balance, "kernel stacks"), -16);
  EXPECT_EQ(term(*balance, "vmalloc"), 0);
  EXPECT_EQ(balance->residual, 0);
}

TEST(ByteBalance, MemoryThatIsPluggedInIsFree) {
  const auto balance = byte_balance(snapshot(), snapshot({{"MemTotal", 500}, {"MemFree", 500}}));
  ASSERT_TRUE(balance);
  EXPECT_EQ(term(*balance, "memory size"), 500);
  EXPECT_EQ(balance->residual, 0);
}

TEST(ByteBalance, ADeviceIsATermOnlyWhereItSharesThePool) {
  const auto before = snapshot(), after = snapshot({{"MemFree", -100}});
  EXPECT_EQ(byte_balance(before, after)->residual, -100);
  const auto shared = byte_balance(before, after, DeviceShare{10, 110});
  EXPECT_EQ(term(*shared, "device"), -100);
  EXPECT_EQ(shared->residual, 0);
  const auto silent = byte_balance(before, after, DeviceShare{10, std::nullopt});
  EXPECT_EQ(silent->residual, -100);
  EXPECT_EQ(silent->unanswered, std::vector<std::string>{"device"});
}

TEST(ByteBalance, AMissingFieldIsUnansweredAndNotZero) {
  auto before = snapshot(), after = snapshot({{"MemFree", -16}, {"Percpu", 16}});
  for (auto* readings : {&before, &after})
    std::erase_if(*readings, [](const Reading& reading) { return reading.name == "meminfo.Percpu"; });
  const auto balance = byte_balance(before, after);
  EXPECT_EQ(balance->unanswered, std::vector<std::string>{"per-CPU"});
  EXPECT_EQ(balance->residual, -16);
  EXPECT_FALSE(byte_balance({}, after));
}

TEST(ByteBalance, ExplainsARecordedMachine) {
  // 128 MiB touched and 256 MiB read: see the trees' README.
  const auto balance = byte_balance(read_all("balance_before"), read_all("balance_after"));
  ASSERT_TRUE(balance);
  EXPECT_NEAR(term(*balance, "anonymous"), -128 * kMiB, kMiB);
  EXPECT_NEAR(term(*balance, "page cache"), -256 * kMiB, kMiB);
  EXPECT_NEAR(term(*balance, "CPU free lists"), 72 * kMiB, kMiB);
  EXPECT_LT(std::abs(balance->residual), kMiB);
  EXPECT_TRUE(balance->unanswered.empty());
}

TEST(ByteBalance, AKernelWithoutMostFieldsIsBalancedWithWhatItHas) {
  const auto balance = byte_balance(read_all("gb10"), read_all("gb10"));
  ASSERT_TRUE(balance);
  EXPECT_EQ(term(*balance, "anonymous"), 0);
  EXPECT_FALSE(balance->unanswered.empty());
}

/// Each kind of memory on this machine. Other processes move the same fields, so that the closest of some
/// tries counts; tries end when one is close.
class RealBalance : public testing::Test {
 protected:
  static constexpr std::size_t kBytes = std::size_t{64} << 20;
  static constexpr double kTolerance = 16 * kMiB;
  static constexpr int kMostTries = 40;

  /// How far a balance is from "this term took kBytes and nothing else moved": the largest deviation of any
  /// part.
  static double distance(const ByteBalance& balance, const std::string& name) {
    double largest = std::abs(balance.residual);
    for (const BalanceTerm& each : balance.terms) {
      if (each.name == "CPU free lists") continue;  // they feed every allocation
      const double expected = each.name == name ? -static_cast<double>(kBytes) : 0;
      largest = std::max(largest, std::abs(each.change - expected));
    }
    return largest;
  }

  template <class Take>
  static void expect_taken(const std::string& name, Take&& take) {
    LedgerSet ledgers = standard_ledgers();
    double closest = std::numeric_limits<double>::infinity();
    for (int i = 0; i < kMostTries && closest >= kTolerance; ++i) {
      const std::vector<Reading> before = ledgers.read();
      const auto held = take();
      const auto balance = byte_balance(before, ledgers.read());
      ASSERT_TRUE(balance);
      closest = std::min(closest, distance(*balance, name));
    }
    EXPECT_LT(closest, kTolerance);
  }
};

struct Mapping {
  Mapping(std::size_t bytes, int flags)
      : bytes_(bytes), data_(mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0)) {
    if (data_ != MAP_FAILED) std::memset(data_, 1, bytes_);
  }
  ~Mapping() {
    if (data_ != MAP_FAILED) munmap(data_, bytes_);
  }
  Mapping(const Mapping&) = delete;
  std::size_t bytes_;
  void* data_;
};

TEST_F(RealBalance, TouchedMemoryIsAnonymous) {
  expect_taken("anonymous", [] { return std::make_unique<Mapping>(kBytes, MAP_PRIVATE); });
}

TEST_F(RealBalance, SharedMemoryIsShmemAndNoPageCache) {
  expect_taken("shared memory", [] { return std::make_unique<Mapping>(kBytes, MAP_SHARED); });
}

TEST_F(RealBalance, AFileThatIsReadIsPageCache) {
  std::filesystem::path directory;
  try {
    directory = injection_directory();
  } catch (const Error& error) {
    GTEST_SKIP() << error.what();
  }
  expect_taken("page cache", [&] {
    auto file = std::make_unique<InjectedFile>(kBytes, directory);
    file->fill();
    return file;
  });
}

}  // namespace
}  // namespace sparkmpi::ledger
